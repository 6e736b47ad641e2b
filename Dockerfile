# turnspec in a container: `docker build -t turnspec .`, then compose.yaml, or
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -p 9019:9019 \
#     -v ./turnspec.yaml:/etc/turnspec/turnspec.yaml:ro -v turnspec:/var/lib/turnspec -e OPENAI_API_KEY turnspec
#
# The configuration listens on 0.0.0.0 (listen.audiosocket, http.listen with http.token_env) and writes to
# /var/lib/turnspec alone. Beside Asterisk on one host: --network host, which spares a frame its way through a bridge.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY fsm fsm
COPY adapters adapters
COPY specs specs
COPY turnspec turnspec
COPY tools/__init__.py tools/wheel.py tools/
COPY MANIFEST.in ./
RUN python -m venv /opt/turnspec \
 && /opt/turnspec/bin/pip install --no-cache-dir '.[http,twilio,ari,cluster]' \
 && /opt/turnspec/bin/python -m compileall -q /opt/turnspec/lib

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 turnspec \
 && useradd --system --uid 10001 --gid turnspec --home-dir /var/lib/turnspec --shell /usr/sbin/nologin turnspec \
 && install -d -o turnspec -g turnspec -m 700 /var/lib/turnspec
COPY --from=build /opt/turnspec /opt/turnspec
ENV PATH=/opt/turnspec/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER turnspec
WORKDIR /var/lib/turnspec
VOLUME /var/lib/turnspec
EXPOSE 9019 9080
# Alive, not ready: a container whose provider is away is not to be killed with its calls. Needs http.listen.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9080/livez', timeout=2)"]
# SIGTERM drains: give `docker stop -t` limits.notice_s and limits.shutdown_s, and 20 s more.
STOPSIGNAL SIGTERM
ENTRYPOINT ["turnspec"]
CMD ["serve", "/etc/turnspec/turnspec.yaml"]
