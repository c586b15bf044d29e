FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/stewardmon \
    && /opt/stewardmon/bin/pip install --require-hashes -r requirements.lock
COPY LICENSE README.md pyproject.toml ./
COPY rules ./rules
COPY stewardmon ./stewardmon
RUN /opt/stewardmon/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/stewardmon --create-home stewardmon \
    && install -d -o stewardmon -g stewardmon /etc/stewardmon/rules
COPY --from=build /opt/stewardmon /opt/stewardmon
COPY --chown=stewardmon:stewardmon rules /etc/stewardmon/rules
ENV PATH=/opt/stewardmon/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STEWARDMON_LISTEN=0.0.0.0:9797 \
    STEWARDMON_RULES=/etc/stewardmon/rules \
    STEWARDMON_STATE=/var/lib/stewardmon/state.sqlite3
USER stewardmon
WORKDIR /var/lib/stewardmon
VOLUME /var/lib/stewardmon
EXPOSE 9797
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["stewardmon", "check", "--live"]
ENTRYPOINT ["stewardmon"]
CMD ["run"]
