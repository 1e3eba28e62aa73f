# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/growthgauge
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY aggregators ./aggregators
COPY exporters ./exporters
COPY growthgauge ./growthgauge
COPY streams ./streams
RUN /opt/growthgauge/bin/pip install .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="growthgauge" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin growthgauge
COPY --from=build /opt/growthgauge /opt/growthgauge
# A container's ports are reached from outside it; who may reach them is up to the network.
ENV PATH=/opt/growthgauge/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GROWTHGAUGE_LISTEN=0.0.0.0 \
    GROWTHGAUGE_LOG_FORMAT=json
USER 10001:10001
WORKDIR /tmp
EXPOSE 9108 9109
ENTRYPOINT ["growthgauge"]
CMD ["--help"]
