# The server and the demo's service, from this checkout.
# Packages are those of requirements/dev.txt, by version and hash; of these only what otelkit needs is installed.
FROM python:3.11.14-slim AS packages
COPY requirements/dev.txt ./
RUN pip download --no-cache-dir --require-hashes --no-deps -r dev.txt -d /packages

FROM python:3.11.14-slim
WORKDIR /app
COPY pyproject.toml README.md ./
COPY otelkit otelkit
COPY examples examples
COPY docs docs
RUN --mount=type=bind,from=packages,source=/packages,target=/packages \
    pip install --no-cache-dir --no-index --find-links /packages '.[all]'
RUN useradd --create-home otelkit && mkdir /data && chown otelkit /data
USER otelkit
ENV XDG_DATA_HOME=/data
ENTRYPOINT ["otelkit"]
CMD ["serve", "--host", "0.0.0.0"]
