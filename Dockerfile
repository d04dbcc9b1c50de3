# Airflow with this provider. The official image already brings the celery, postgres and FAB providers.
FROM apache/airflow:3.3.2

COPY --chown=airflow:root pyproject.toml README.md LICENSE /opt/airflow/provider/
COPY --chown=airflow:root airflow_provider_mkt /opt/airflow/provider/airflow_provider_mkt

# Naming Airflow's own version keeps pip from moving it. AIRFLOW_VERSION is set by the image.
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "/opt/airflow/provider[sandbox]" \
    && rm -rf /opt/airflow/provider
