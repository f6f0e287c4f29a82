# One image for every service of the product; the command says which (`ioc worker`, `ioc oncall`, …).
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/ioc
ENV PATH=/opt/ioc/bin:$PATH
# .dockerignore lets in only what is installed, so a change in tests or boards does not rebuild this.
COPY . .
# The same pinned versions as `make` installs: the version of Faust is part of the code.
RUN pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.11.13-slim-bookworm
# A fixed id, so that a volume keeps its owner over upgrades.
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/ioc --shell /usr/sbin/nologin ioc \
    && install --directory --owner=ioc --group=ioc --mode=0750 /var/lib/ioc
COPY --from=build /opt/ioc /opt/ioc
ENV PATH=/opt/ioc/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IOC_STATE=/var/lib/ioc \
    IOC_HTTP_HOST=0.0.0.0
USER ioc
WORKDIR /var/lib/ioc
VOLUME /var/lib/ioc
# exec form: the process is the container's first and gets SIGTERM itself
ENTRYPOINT ["ioc"]
CMD ["--help"]
