#!/bin/sh
# Make what is missing beside Airflow's own database, each with a role of its own: the provider's shared store ("mkt":
# one role owns the tables, another one uses them) and Celery's results ("celery"). Nothing of them can reach Airflow's
# tables. PostgreSQL's image runs this for a new volume. It may be run again: for an older volume, or after a password
# was changed.
#
#   docker-compose exec postgres sh /docker-entrypoint-initdb.d/10-roles.sh
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set celery `cat /run/secrets/celery-password`
\set mkt_owner `cat /run/secrets/mkt-owner-password`
\set mkt `cat /run/secrets/mkt-password`
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest(ARRAY['celery', 'mkt_owner', 'mkt']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE celery PASSWORD :'celery';
ALTER ROLE mkt_owner PASSWORD :'mkt_owner';
ALTER ROLE mkt PASSWORD :'mkt' CONNECTION LIMIT 40;
SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
FROM (VALUES ('celery', 'celery'), ('mkt', 'mkt_owner')) AS wanted (name, owner)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', name)
FROM unnest(ARRAY[current_database(), 'celery', 'mkt']) AS name \gexec
GRANT CONNECT ON DATABASE mkt TO mkt;
\connect mkt
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO mkt_owner;
GRANT USAGE ON SCHEMA public TO mkt;
ALTER DEFAULT PRIVILEGES FOR ROLE mkt_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mkt;
ALTER DEFAULT PRIVILEGES FOR ROLE mkt_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO mkt;
SQL
