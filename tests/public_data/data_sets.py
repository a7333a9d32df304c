"""The public data sets of docs/examples: where each is from, its licence, its files, and how to fetch them. We store none of them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SETTING: Final = "IFTAH_PUBLIC_DATA_DIR"  # the folder that holds a folder for each data set


@dataclass(frozen=True)
class DataFile:
    """A file of a data set. `size` is in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublicDataSet:
    """A data set. `name`: of its folder here and in docs/examples; `commands` fetch it, within $IFTAH_PUBLIC_DATA_DIR."""

    name: str
    about: str
    home: str
    licence: str
    commands: tuple[str, ...]
    files: tuple[DataFile, ...]


def _fetch(commit: str, repository: str, path: str, to: str) -> str:
    return f"curl -fL --create-dirs -o {to} https://raw.githubusercontent.com/{repository}/{commit}/{path}"


_SAKILA: Final = "e089a5b1ec9af0df7a9c6a5d47d49fa1736a4e84"
_CIDER: Final = "dca3490498231760cdf52545af54a59de28cee3a"
_SPARK: Final = "4ba5601eb9b9aed1d01ab79775e3af228216ff6f"

DATA_SETS: Final = (
    PublicDataSet(
        "dvd-rental",
        "Sakila: customers, rentals, returns and payments of two shops that hire out films, as a PostgreSQL database. Made up.",
        "https://github.com/jOOQ/sakila",
        "BSD-2-Clause",
        tuple(
            _fetch(_SAKILA, "jOOQ/sakila", f"postgres-sakila-db/{name}", f"dvd-rental/{name}")
            for name in ("postgres-sakila-schema.sql", "postgres-sakila-insert-data-using-copy.sql")
        ),
        (
            DataFile(
                "postgres-sakila-schema.sql",
                50_732,
                "eaa8cfc2fd358e70617d31ed3638196982944749929f02e90b980457855bfa48",
            ),
            DataFile(
                "postgres-sakila-insert-data-using-copy.sql",
                2_661_287,
                "072e793e9f4f2686b46de8904e1e5ca90c02cbc1873d69ed15401aef610ab52b",
            ),
        ),
    ),
    PublicDataSet(
        "online-retail",
        "Online Retail (Chen, 2015): all invoices of a British wholesale shop from December 2010 to December 2011. Real.",
        "https://archive.ics.uci.edu/dataset/352/online+retail",
        "CC BY 4.0",
        (
            "git clone --filter=blob:none --no-checkout https://github.com/databricks/Spark-The-Definitive-Guide spark-guide",
            f"git -C spark-guide checkout {_SPARK} -- data/retail-data/by-day",
            "mkdir -p online-retail",
            "awk 'FNR == 1 && NR > 1 {next} {print}' spark-guide/data/retail-data/by-day/*.csv > online-retail/invoices.csv",
        ),
        (DataFile("invoices.csv", 48_039_726, "c35975c40d0e1e105090fbb11188a409393055f873841bd012915475fc84e69f"),),
    ),
    PublicDataSet(
        "mobile-money",
        "Cider: transfers, bills, cash, airtime and data of mobile telephones over two months. Simulated.",
        "https://github.com/Global-Policy-Lab/cider",
        "BSD-2-Clause",
        tuple(
            _fetch(_CIDER, "Global-Policy-Lab/cider", f"synthetic_data/{name}.csv", f"mobile-money/{name}.csv")
            for name in ("mobilemoney", "recharges", "mobiledata")
        ),
        (
            DataFile("mobilemoney.csv", 1_250_219, "b2a25ca959eec2bf72a85e1337ad7b1543670297785141c89772a70a66b40185"),
            DataFile("recharges.csv", 355_487, "2bb2ba3ed82420777b82b0477223579632b48a42faba1bf0d2db5da085ef0923"),
            DataFile("mobiledata.csv", 509_471, "4457f05cbf3b02e7d3f45d962f21b0b6e2f5d0bcdeae461de168f2d4ac1feb1f"),
        ),
    ),
)


def data_folder() -> Path | None:
    """The folder of the data sets; None if it is not set."""
    value = os.environ.get(SETTING)
    return Path(value) if value else None


def state(folder: Path | None, data_set: PublicDataSet, file: DataFile) -> str:
    """Whether the file is there with its content: `there`, `absent` or `other content`."""
    path = (folder or Path()) / data_set.name / file.name
    if folder is None or not path.is_file():
        return "absent"
    return "there" if hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256 else "other content"


def is_complete(folder: Path | None, data_set: PublicDataSet) -> bool:
    """Whether all files of the data set are there with their content."""
    return all(state(folder, data_set, file) == "there" for file in data_set.files)
