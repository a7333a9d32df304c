# The server, from the pinned packages. Built with: docker build -t iftah .
# One stage compiles durable-rules, which is a source package; the other has no compiler.
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /app
RUN python -m venv .venv
ENV PATH=/app/.venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt constraints-sdist.txt ./
RUN pip install --require-hashes -r constraints.txt \
 && pip install --no-build-isolation --no-deps --require-hashes -r constraints-sdist.txt
COPY pyproject.toml README.md LICENSE ./
COPY engine engine
COPY graph graph
COPY api api
COPY rules rules
RUN pip install --no-build-isolation --no-deps -e .

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin iftah
WORKDIR /app
COPY --from=build /app /app
# An SQLite database, if one is used, is kept in /data; nothing else is written but in /tmp.
RUN mkdir /data && chown iftah /data
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    IFTAH_HOST=0.0.0.0 IFTAH_LOG_FORMAT=json IFTAH_DATABASE_URL=sqlite:////data/iftah.db
VOLUME /data
USER iftah
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v1/health', timeout=4)"]
CMD ["iftah", "serve"]
