# Airflow with this provider. The official image already brings the celery, postgres and FAB providers.
#
# The base is named by digest, as a tag can be moved to another image. Look it up where you trust the connection:
#   docker buildx imagetools inspect apache/airflow:3.3.2        prints "Digest: sha256:…"
# and put it into the .env as AIRFLOW_IMAGE=apache/airflow@sha256:…  There is no default.
ARG AIRFLOW_IMAGE
FROM ${AIRFLOW_IMAGE}

ARG AIRFLOW_IMAGE
RUN case "${AIRFLOW_IMAGE}" in \
        *@sha256:*) ;; \
        *) echo "AIRFLOW_IMAGE must name a digest (apache/airflow@sha256:…), not a tag: ${AIRFLOW_IMAGE}" >&2; exit 1 ;; \
    esac \
    && case "${AIRFLOW_VERSION}" in \
        3.3.2) ;; \
        *) echo "This provider is tested with Airflow 3.3.2, and the image has ${AIRFLOW_VERSION}" >&2; exit 1 ;; \
    esac

USER airflow
COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/airflow/provider/
COPY --chown=airflow:root airflow_provider_mkt /opt/airflow/provider/airflow_provider_mkt

# Naming Airflow's own version keeps pip from moving it; the image's constraints (assumed at this path, or the build
# stops) keep everything else at what Airflow was tested with. The last look is at what the state store and the executor
# need. The folder is where exports go: a new volume takes its owner from it.
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "/opt/airflow/provider[celery,postgres,sandbox]" \
        --constraint "${HOME}/constraints.txt" \
    && rm -rf /opt/airflow/provider \
    && pip check \
    && python -c "import airflow.providers.celery, airflow.providers.fab, airflow_provider_mkt, asyncpg, psycopg2, redis" \
    && mkdir -p /opt/airflow/exports
