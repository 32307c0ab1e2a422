# The server and the demo's service, from this checkout.
FROM python:3.11-slim
WORKDIR /app
COPY pyproject.toml README.md ./
COPY otelkit otelkit
COPY examples examples
COPY docs docs
RUN pip install --no-cache-dir '.[all]' && useradd --create-home otelkit && mkdir /data && chown otelkit /data
USER otelkit
ENV XDG_DATA_HOME=/data
ENTRYPOINT ["otelkit"]
CMD ["serve", "--host", "0.0.0.0"]
