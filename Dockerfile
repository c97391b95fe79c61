# Two images from one file: `web` (also the maintenance worker, Beat and migrations)
# and `worker`, which has torch. Neither holds a secret; settings come at start.
#
#   docker build --target web --tag pingvas-web .
#   docker build --target worker --tag pingvas-worker .

# As in docker-compose.yml; `deploy/pin_images.sh` finds a newer one.
ARG PYTHON_IMAGE=python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7
FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/venv/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1

FROM base AS web-packages
RUN python -m venv /opt/venv
WORKDIR /build
COPY requirements-lock-web.txt ./
RUN pip install --require-hashes -r requirements-lock-web.txt

FROM web-packages AS worker-packages
COPY requirements-lock-worker.txt ./
RUN pip install --require-hashes -r requirements-lock-worker.txt

FROM base AS application
RUN useradd --system --user-group --uid 10001 --home-dir /nonexistent \
    --shell /usr/sbin/nologin pingvas
WORKDIR /app
COPY manage.py ./
COPY pingvas pingvas
COPY accounts accounts
COPY billing billing
COPY modelhub modelhub
COPY gallery gallery
COPY generation generation
COPY workers workers

FROM application AS web
COPY --from=web-packages /opt/venv /opt/venv
# Collecting reads the settings but reaches no server; these values stay in this step.
RUN SECRET_KEY=unused REDIS_URL=redis://unused \
    DATABASE_URL=postgresql://unused/unused \
    python manage.py collectstatic --no-input
# A new volume takes its owner from here.
RUN install --directory --owner pingvas --group pingvas /var/lib/pingvas/redis-users
USER pingvas
EXPOSE 8000
CMD ["uvicorn", "pingvas.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--lifespan", "off", "--timeout-graceful-shutdown", "30", \
     "--no-proxy-headers", "--no-access-log", \
     "--http", "pingvas.core.http:PromptHttp", \
     "--ws", "pingvas.core.websocket:BoundedWebSocket"]

FROM application AS worker
COPY --from=worker-packages /opt/venv /opt/venv
# A job in progress goes back to its queue when the container is told to stop.
ENV REMAP_SIGTERM=SIGQUIT
# A new volume takes its owner from here.
RUN install --directory --owner pingvas --group pingvas /var/lib/pingvas/models
USER pingvas
CMD ["celery", "-A", "pingvas", "worker", "--hostname", "generation@%h", "--queues", \
     "queue:enterprise,queue:studio,queue:pro,queue:starter,queue:free", \
     "--concurrency", "1", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
