# The server, from the pinned packages. Build it with `docker build -t iftah .`, or with `make image`, which needs no
# container engine. The base is any Debian with Python 3.11 to 3.13.
ARG BASE=python:3.12-slim-bookworm

# One stage compiles and installs; the other has no compiler, no pip and no tools of development.
FROM ${BASE} AS build
# A proxy with certificates of its own: --build-arg PIP_CERT=FILE, with FILE mounted.
ARG PIP_CERT
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev binutils \
 && if [ "$(command -v python3)" = /usr/bin/python3 ]; then apt-get install --yes --no-install-recommends python3-dev python3-venv; fi
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/iftah
COPY constraints.txt constraints-dev.txt constraints-sdist.txt ./
RUN /build/bin/pip --python /opt/iftah/bin/python install --no-compile --require-hashes -r constraints.txt \
 && sed -n '/^setuptools==/,/[^\\]$/p' constraints-dev.txt > setuptools.txt \
 && /build/bin/pip install --require-hashes -r setuptools.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY docs/schemas docs/schemas
COPY docs/examples docs/examples
COPY rules rules
COPY iftah iftah
COPY engine engine
COPY graph graph
COPY api api
RUN /build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/iftah/bin/python install --no-compile --no-deps /wheels/*.whl
# What no server needs: tests, headers and C++ sources inside packages, protocols of Arrow that we do not use, and the symbols
# of compiled modules (not of the libraries in *.libs, which their packagers patched). Then compile all modules, since the
# server may not write to its files.
RUN cd "$(/opt/iftah/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')" \
 && find . -type d \( -name tests -o -name include \) -prune -exec rm -r {} + \
 && find . -type f \( -name '*.cpp' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h' -o -name '*.a' \) -delete \
 && rm -f pyarrow/libarrow_flight* pyarrow/_flight* pyarrow/libarrow_s3* pyarrow/_s3fs* \
 && find . -name '*.so*' -type f -not -path '*.libs/*' -exec strip --strip-unneeded {} + \
 && /opt/iftah/bin/python -m compileall -q -j 2 .

FROM ${BASE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin iftah \
 && install --directory --owner iftah /data
COPY --from=build /opt/iftah /opt/iftah
WORKDIR /app
# The rules in force; mount a folder of your own over them. An SQLite database, if you use one, is kept in /data; the
# server writes to /data and /tmp alone.
COPY rules rules
ENV PATH=/opt/iftah/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    IFTAH_HOST=0.0.0.0 IFTAH_LOG_FORMAT=json IFTAH_RULES=/app/rules IFTAH_DATABASE_URL=sqlite:////data/iftah.db
VOLUME /data
USER iftah
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a server that waits for its first build, or for its database, is not to be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v1/health/live', timeout=4)"]
CMD ["iftah", "serve"]
