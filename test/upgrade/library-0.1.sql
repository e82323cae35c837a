-- A library of version 0.1 with rows in nearly every table, and what users have built on it: pg_dump's output, without
-- comments and without the rights that the extension itself grants.
CREATE ROLE team;
CREATE ROLE alice;
CREATE ROLE grafana;
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA governance;
CREATE EXTENSION image_library VERSION '0.1';
COMMENT ON EXTENSION image_library IS 'a governed library of container images: Postgres and AI models from OCI registries';
CREATE FUNCTION governance.is_local(image image_library.images) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN image_library.is_from(image, '{local}'::text[]);
CREATE FUNCTION public.labels(image image_library.images) RETURNS jsonb
    LANGUAGE sql STABLE
    AS $$SELECT image.labels$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.cluster (
    image text
);
CREATE VIEW public.approved AS
 SELECT i.registry,
    i.repository,
    i.tag,
    i.digest,
    image_library.resolve(i.pinned_reference) AS resolve
   FROM image_library.images i
  WHERE (i.approval = 'approved'::text);
COPY public.cluster (image) FROM stdin;
\.
COPY image_library_internal.annotation_key (purpose, "position", key) FROM stdin;
title	1	com.example.title
title	2	org.opencontainers.image.title
\.
COPY image_library_internal.image (digest, media_type, artifact_type, config_type, config_digest, layer_types, platforms, size_bytes, created_at, created_text, annotations, labels, title, description, version, first_seen_at, unread) FROM stdin;
sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	application/vnd.oci.image.manifest.v1+json		application/vnd.cncf.helm.config.v1+json	sha256:f780fffac9d9838a828fd045facae48060e4d4cfed9e683c9993bec7426432b5	{application/vnd.cncf.helm.chart.content.v1.tar+gzip}	{}	10401	\N		{"org.opencontainers.image.title": "postgres", "org.opencontainers.image.version": "16.5.0"}	{}	postgres	\N	16.5.0	2026-11-26 09:17:55.050842+00	\N
sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	application/vnd.oci.image.manifest.v1+json		application/vnd.docker.ai.model.config.v0.1+json	sha256:7699bdf0ea05c0ec10f780f2b088274ccbf246a361b1091ecc5d101e8d739e12	{application/vnd.docker.ai.gguf.v3,application/vnd.docker.ai.license}	{}	2415919486	\N		{}	{}	\N	\N	\N	2026-11-26 09:17:55.482874+00	\N
sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	application/vnd.oci.image.manifest.v1+json	application/vnd.cncf.model.manifest.v1+json	application/vnd.cncf.model.config.v1+json	sha256:38b89f3ad5b0952993ba6af9943678bd33d491c69e2b4d28d25a285d75f3d45b	{application/vnd.cncf.model.doc.v1.tar,application/vnd.cncf.model.weight.config.v1.tar,application/vnd.cncf.model.weight.v1.tar}	{}	16106128015	2025-05-06 08:00:00+00		{"org.opencontainers.image.title": "Qwen2.5 7B Instruct", "org.opencontainers.image.created": "2025-05-06T08:00:00Z"}	{}	Qwen2.5 7B Instruct	\N	\N	2026-11-26 09:17:55.525973+00	\N
sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	application/vnd.oci.image.manifest.v1+json		application/vnd.kitops.modelkit.config.v1+json	sha256:c31bb2d25660568aafddd49d0276db30f12401dcb190872017531e359f2be942	{application/vnd.kitops.modelkit.dataset.v1.tar,application/vnd.kitops.modelkit.docs.v1.tar,application/vnd.kitops.modelkit.model.v1.tar}	{}	8053064032	\N		{"ml.kitops.modelkit.cli-version": "1.5.0", "org.opencontainers.image.description": "Phi-4 mini, tuned on support tickets"}	{}	\N	Phi-4 mini, tuned on support tickets	\N	2026-11-26 09:17:55.677676+00	\N
sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	application/vnd.docker.distribution.manifest.v2+json		application/vnd.docker.container.image.v1+json	sha256:79b4096ccb504aa34cca8b9e98fb03a9397f441282a5b8f100802d5dad32c5f4	{application/vnd.ollama.image.license,application/vnd.ollama.image.model,application/vnd.ollama.image.params,application/vnd.ollama.image.template}	{linux/amd64}	2167407156	\N		{}	{}	\N	\N	\N	2026-11-26 09:17:55.72947+00	\N
sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	application/vnd.docker.distribution.manifest.v2+json		application/vnd.docker.container.image.v1+json	sha256:b537da6177bd95ffede63629bf65ff8992df58cd9f883bff394f6229e2ca414e	{application/vnd.docker.image.rootfs.diff.tar.gzip}	{linux/amd64}	6472860655	2024-11-19 09:12:00+00		{}	{"maintainer": "NVIDIA CORPORATION", "com.nvidia.nim.task": "text-generation", "com.nvidia.nim.model": "meta/llama-3.1-8b-instruct", "com.nvidia.nim.version": "1.3.3", "com.nvidia.nim.profiles": "tensorrt_llm-h100-fp8-tp1-pp1-throughput,vllm-bf16-tp1-pp1-lora", "com.nvidia.nim.gpu_count": "1", "org.opencontainers.image.title": "meta/llama-3.1-8b-instruct", "com.nvidia.nim.model_download_protocol": "native-v1"}	meta/llama-3.1-8b-instruct	\N	\N	2026-11-26 09:17:55.833173+00	\N
sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	application/vnd.docker.distribution.manifest.v2+json		application/vnd.docker.container.image.v1+json	sha256:d9b8b0086891f4e647f462c56acea81eb7c34cc31e641e22b68d5617c70824b9	{application/vnd.docker.image.rootfs.diff.tar.gzip}	{linux/amd64}	11841569648	2025-05-30 16:40:00+00		{}	{"maintainer": "NVIDIA CORPORATION", "com.nvidia.nim.model": "nvidia/llama-3.3-nemotron-super-49b-v1", "com.nvidia.nim.version": "1.8.5", "org.opencontainers.image.title": "nvidia/llama-3.3-nemotron-super-49b-v1", "com.nvidia.nim.model_download_protocol": "native-v1"}	nvidia/llama-3.3-nemotron-super-49b-v1	\N	\N	2026-11-26 09:17:56.059484+00	\N
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:ae719cc7357c8656bb7698fa4daca5d963638fd7833f7625073a95094ea1dd88	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	31816	2025-03-19 10:25:00+00		{"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.features": "psr,pgd,analytics,tde", "org.enterprisedb.pgextensions": "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnX3N0YXRfc3RhdGVtZW50cywxLjExLFBsYW5uaW5nIGFuZCBleGVjdXRpb24gc3RhdGlzdGljcyBvZiBzdGF0ZW1lbnRzCnBnYXVkaXQsMTcuMSxTZXNzaW9uIGFuZCBvYmplY3QgYXVkaXQgbG9nZ2luZwpwZ3ZlY3RvciwwLjguMCwiVmVjdG9yIGRhdGEgdHlwZSwgaXZmZmxhdCBhbmQgaG5zdyBhY2Nlc3MgbWV0aG9kcyIK", "org.opencontainers.image.title": "EDB Postgres Advanced Server", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.enterprisedb.pg.major_version": "17"}	{"name": "EDB Postgres Advanced Server", "vendor": "EnterpriseDB", "version": "17.4", "org.opencontainers.image.title": "EDB Postgres Advanced Server", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.opencontainers.image.version": "17.4"}	EDB Postgres Advanced Server	\N	17.4	2026-11-26 09:17:56.096852+00	\N
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:17dd0aa97b387f5cc31448c42e188acaea1c8fd7feb03ea7f183a678f786abb3	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	31816	2026-05-13 20:51:00+00		{"org.enterprisedb.pg.flavor": "epas", "org.enterprisedb.pg.features": "psr,pgd,analytics,tde", "org.enterprisedb.pgextensions": "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCmFpZGIsNC4xLjAsQUkgcGlwZWxpbmVzIGFuZCBrbm93bGVkZ2UgYmFzZXMKYmx1ZWZpbiwxLjIuMCxBcHBlbmQtb25seSB0YWJsZXMKcGdfY3JvbiwxLjYuNSxKb2Igc2NoZWR1bGVyCnBnX3N0YXRfc3RhdGVtZW50cywxLjExLFBsYW5uaW5nIGFuZCBleGVjdXRpb24gc3RhdGlzdGljcyBvZiBzdGF0ZW1lbnRzCnBnYXVkaXQsMTcuMSxTZXNzaW9uIGFuZCBvYmplY3QgYXVkaXQgbG9nZ2luZwpwZ3ZlY3RvciwwLjguMCwiVmVjdG9yIGRhdGEgdHlwZSwgaXZmZmxhdCBhbmQgaG5zdyBhY2Nlc3MgbWV0aG9kcyIKcG9zdGdpcywzLjUuMiwiR2VvbWV0cnksIGdlb2dyYXBoeSwgYW5kIHJhc3RlciB0eXBlcyIK", "org.opencontainers.image.title": "EDB Postgres Advanced Server", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.enterprisedb.pg.major_version": "18"}	{"name": "EDB Postgres Advanced Server", "vendor": "EnterpriseDB", "version": "18.3", "org.opencontainers.image.title": "EDB Postgres Advanced Server", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.opencontainers.image.version": "18.3"}	EDB Postgres Advanced Server	\N	18.3	2026-11-26 09:17:56.096852+00	\N
sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	application/vnd.oci.image.manifest.v1+json		application/vnd.oci.image.config.v1+json	sha256:6dfae33504be34dd37ada0bfee2597060801892a8fecc61f358636edd81c170c	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64}	31780	2025-03-31 07:34:00+00		{"org.enterprisedb.pg.flavor": "pg", "org.opencontainers.image.created": "2025-03-31T07:34:00Z", "org.enterprisedb.pg.major_version": "17"}	{"name": "PostgreSQL", "vendor": "EnterpriseDB", "version": "17.4", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2025-03-31T07:34:00Z", "org.opencontainers.image.version": "17.4"}	PostgreSQL	\N	17.4	2026-11-26 09:17:56.221007+00	\N
sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:d2dd0ea50765e92c1b6206fd393af21f7b492f6071776146d69d14bc0daa5ac2	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	21724	2026-08-20 14:14:00+00		{"org.opencontainers.image.url": "https://github.com/cloudnative-pg", "io.cloudnativepg.image.base.os": "trixie", "org.opencontainers.image.title": "pgvector for PostgreSQL 18", "org.opencontainers.image.vendor": "The CloudNativePG Contributors", "io.cloudnativepg.image.base.name": "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie", "org.opencontainers.image.created": "2026-08-20T14:14:00Z", "org.opencontainers.image.version": "0.8.6", "org.opencontainers.image.licenses": "Apache-2.0", "io.cloudnativepg.image.sql.version": "0.8.6", "org.opencontainers.image.base.name": "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie", "io.cloudnativepg.image.base.pgmajor": "18", "org.opencontainers.image.description": "pgvector for PostgreSQL 18, for CloudNativePG"}	{"org.opencontainers.image.url": "https://github.com/cloudnative-pg", "io.cloudnativepg.image.base.os": "trixie", "org.opencontainers.image.title": "pgvector for PostgreSQL 18", "org.opencontainers.image.vendor": "The CloudNativePG Contributors", "io.cloudnativepg.image.base.name": "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie", "org.opencontainers.image.created": "2026-08-20T14:14:00Z", "org.opencontainers.image.version": "0.8.6", "org.opencontainers.image.licenses": "Apache-2.0", "io.cloudnativepg.image.sql.version": "0.8.6", "org.opencontainers.image.base.name": "ghcr.io/cloudnative-pg/postgresql:18-minimal-trixie", "io.cloudnativepg.image.base.pgmajor": "18", "org.opencontainers.image.description": "pgvector for PostgreSQL 18, for CloudNativePG"}	pgvector for PostgreSQL 18	pgvector for PostgreSQL 18, for CloudNativePG	0.8.6	2026-11-26 09:17:56.133687+00	\N
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:d4479d42d33338f38144aa13bbae6ab9d8b868068d4be8deea8b33329187fd2d	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	31816	2026-05-13 20:51:00+00		{"org.enterprisedb.pg.flavor": "pgextended", "org.enterprisedb.pg.features": "psr,pgd,tde", "org.enterprisedb.pgextensions": "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCmFpZGIsNC4xLjAsQUkgcGlwZWxpbmVzIGFuZCBrbm93bGVkZ2UgYmFzZXMKYmx1ZWZpbiwxLjIuMCxBcHBlbmQtb25seSB0YWJsZXMKcGdfY3JvbiwxLjYuNSxKb2Igc2NoZWR1bGVyCnBnX3N0YXRfc3RhdGVtZW50cywxLjExLFBsYW5uaW5nIGFuZCBleGVjdXRpb24gc3RhdGlzdGljcyBvZiBzdGF0ZW1lbnRzCnBnYXVkaXQsMTcuMSxTZXNzaW9uIGFuZCBvYmplY3QgYXVkaXQgbG9nZ2luZwpwZ3ZlY3RvciwwLjguMCwiVmVjdG9yIGRhdGEgdHlwZSwgaXZmZmxhdCBhbmQgaG5zdyBhY2Nlc3MgbWV0aG9kcyIKcG9zdGdpcywzLjUuMiwiR2VvbWV0cnksIGdlb2dyYXBoeSwgYW5kIHJhc3RlciB0eXBlcyIK", "org.opencontainers.image.title": "EDB Postgres Extended Server", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.enterprisedb.pg.major_version": "18"}	{"name": "EDB Postgres Extended Server", "vendor": "EnterpriseDB", "version": "18.3", "org.opencontainers.image.title": "EDB Postgres Extended Server", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.opencontainers.image.version": "18.3"}	EDB Postgres Extended Server	\N	18.3	2026-11-26 09:17:56.153727+00	\N
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:9b50d0b957b77bf5256b72443b26ab49aa6a3460d0c440ff76fda9d5d7855e79	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	31816	2025-03-19 10:25:00+00		{"org.enterprisedb.pg.flavor": "pgextended", "org.enterprisedb.pg.features": "psr,pgd,tde", "org.enterprisedb.pgextensions": "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCnBnX3N0YXRfc3RhdGVtZW50cywxLjExLFBsYW5uaW5nIGFuZCBleGVjdXRpb24gc3RhdGlzdGljcyBvZiBzdGF0ZW1lbnRzCnBnYXVkaXQsMTcuMSxTZXNzaW9uIGFuZCBvYmplY3QgYXVkaXQgbG9nZ2luZwpwZ3ZlY3RvciwwLjguMCwiVmVjdG9yIGRhdGEgdHlwZSwgaXZmZmxhdCBhbmQgaG5zdyBhY2Nlc3MgbWV0aG9kcyIK", "org.opencontainers.image.title": "EDB Postgres Extended Server", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.enterprisedb.pg.major_version": "17"}	{"name": "EDB Postgres Extended Server", "vendor": "EnterpriseDB", "version": "17.4", "org.opencontainers.image.title": "EDB Postgres Extended Server", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.opencontainers.image.version": "17.4"}	EDB Postgres Extended Server	\N	17.4	2026-11-26 09:17:56.153727+00	\N
sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:cd61082f1b836eee255a653e979b7312285669240f4e2d48790d65c9128344e8	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	21702	2026-08-17 08:14:00+00		{"org.opencontainers.image.url": "https://github.com/cloudnative-pg", "org.opencontainers.image.title": "CloudNativePG PostgreSQL minimal", "org.opencontainers.image.vendor": "The CloudNativePG Contributors", "org.opencontainers.image.created": "2026-08-17T08:14:00Z", "org.opencontainers.image.version": "18.6", "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.base.name": "docker.io/library/debian:trixie-slim", "org.opencontainers.image.description": "CloudNativePG PostgreSQL minimal, for CloudNativePG"}	{"org.opencontainers.image.url": "https://github.com/cloudnative-pg", "org.opencontainers.image.title": "CloudNativePG PostgreSQL minimal", "org.opencontainers.image.vendor": "The CloudNativePG Contributors", "org.opencontainers.image.created": "2026-08-17T08:14:00Z", "org.opencontainers.image.version": "18.6", "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.base.name": "docker.io/library/debian:trixie-slim", "org.opencontainers.image.description": "CloudNativePG PostgreSQL minimal, for CloudNativePG"}	CloudNativePG PostgreSQL minimal	CloudNativePG PostgreSQL minimal, for CloudNativePG	18.6	2026-11-26 09:17:56.195999+00	\N
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	application/vnd.oci.image.index.v1+json		application/vnd.oci.image.config.v1+json	sha256:cf6b724e8dd2b8ed73ef74bc7ffb525d02383eb5fd1a4a4b91e12a01c70ea016	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64,linux/arm64/v8}	31780	2025-03-31 07:34:00+00		{"org.enterprisedb.pg.flavor": "pg", "org.enterprisedb.pg.features": "psr", "org.enterprisedb.pgextensions": "bmFtZSx2ZXJzaW9uLGRlc2NyaXB0aW9uCmFpZGIsNC4xLjAsQUkgcGlwZWxpbmVzIGFuZCBrbm93bGVkZ2UgYmFzZXMKYmx1ZWZpbiwxLjIuMCxBcHBlbmQtb25seSB0YWJsZXMKcGdfY3JvbiwxLjYuNSxKb2Igc2NoZWR1bGVyCnBnX3N0YXRfc3RhdGVtZW50cywxLjExLFBsYW5uaW5nIGFuZCBleGVjdXRpb24gc3RhdGlzdGljcyBvZiBzdGF0ZW1lbnRzCnBnYXVkaXQsMTcuMSxTZXNzaW9uIGFuZCBvYmplY3QgYXVkaXQgbG9nZ2luZwpwZ3ZlY3RvciwwLjguMCwiVmVjdG9yIGRhdGEgdHlwZSwgaXZmZmxhdCBhbmQgaG5zdyBhY2Nlc3MgbWV0aG9kcyIKcG9zdGdpcywzLjUuMiwiR2VvbWV0cnksIGdlb2dyYXBoeSwgYW5kIHJhc3RlciB0eXBlcyIK", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2025-03-31T07:34:00Z", "org.enterprisedb.pg.major_version": "17"}	{"name": "PostgreSQL", "vendor": "EnterpriseDB", "version": "17.4", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2025-03-31T07:34:00Z", "org.opencontainers.image.version": "17.4"}	PostgreSQL	\N	17.4	2026-11-26 09:17:56.221007+00	\N
sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	application/vnd.oci.image.manifest.v1+json		application/vnd.oci.image.config.v1+json	sha256:b489193641581855770d203311a1a5aeb92b6ee019a430799f356bca84b40e89	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64}	31780	2026-05-13 20:51:00+00		{"org.enterprisedb.pg.flavor": "pg", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.enterprisedb.pg.major_version": "18"}	{"name": "PostgreSQL", "vendor": "EnterpriseDB", "version": "18.3", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2026-05-13T20:51:00Z", "org.opencontainers.image.version": "18.3"}	PostgreSQL	\N	18.3	2026-11-26 09:17:56.221007+00	\N
sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	application/vnd.docker.distribution.manifest.v2+json		application/vnd.docker.container.image.v1+json	sha256:046bc5e57f48c443a1466dd94caee30a00fa876f2ad09a623506d8885dff825f	{application/vnd.docker.image.rootfs.diff.tar.gzip}	{linux/amd64}	31780	2025-03-19 10:25:00+00		{}	{"name": "PostgreSQL", "vendor": "EnterpriseDB", "version": "16.8", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.opencontainers.image.version": "16.8"}	PostgreSQL	\N	16.8	2026-11-26 09:17:56.221007+00	\N
sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	application/vnd.oci.image.manifest.v1+json		application/vnd.oci.image.config.v1+json	sha256:3db02ef94be5ee048be0b4c2769680fbb3cb83b071bcbcb37388bc03a90d13b6	{application/vnd.oci.image.layer.v1.tar+gzip}	{linux/amd64}	31780	2025-03-19 10:25:00+00		{"org.enterprisedb.pg.flavor": "pg", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.enterprisedb.pg.major_version": "17"}	{"name": "PostgreSQL", "vendor": "EnterpriseDB", "version": "17.4", "org.opencontainers.image.title": "PostgreSQL", "org.opencontainers.image.created": "2025-03-19T10:25:00Z", "org.opencontainers.image.version": "17.4"}	PostgreSQL	\N	17.4	2026-11-26 09:17:56.221007+00	\N
\.
COPY image_library_internal.registry (registry_id, name, scheme, host, prefix, sync_interval, max_connections, requests_per_second, requests_per_run, ca_certificate, allow_private, enabled, owner, private, proxy, realm_hosts, sync_requested_at, rules_changed_at, created_at, created_by) FROM stdin;
1	local	http	127.0.0.1:24224		00:15:00	16	\N	\N	\N	t	f	team	f	\N	{}	2026-11-26 09:17:58.590227+00	2026-11-26 09:17:58.590227+00	2026-11-26 09:17:54.775358+00	postgres
2	secret	https	registry.example.com		00:15:00	16	\N	\N	\N	f	t	team	t	\N	{}	2026-11-26 09:17:58.870247+00	2026-11-26 09:17:58.870247+00	2026-11-26 09:17:57.166545+00	postgres
\.
COPY image_library_internal.repository (repository_id, registry_id, name, first_seen_at) FROM stdin;
1	1	charts/postgres	2026-11-26 09:17:55.050842+00
2	1	models/smollm2	2026-11-26 09:17:55.482874+00
3	1	models/qwen2.5-7b-instruct	2026-11-26 09:17:55.525973+00
4	1	models/phi-4-mini	2026-11-26 09:17:55.677676+00
5	1	models/llama3.2	2026-11-26 09:17:55.72947+00
6	1	nim/meta/llama-3.1-8b-instruct	2026-11-26 09:17:55.833173+00
7	1	nim/nvidia/llama-3.3-nemotron-super-49b-v1	2026-11-26 09:17:56.059484+00
8	1	edb-postgres-advanced	2026-11-26 09:17:56.096852+00
9	1	cloudnative-pg/pgvector	2026-11-26 09:17:56.133687+00
10	1	edb-postgres-extended	2026-11-26 09:17:56.153727+00
11	1	cloudnative-pg/postgresql	2026-11-26 09:17:56.195999+00
12	1	postgresql	2026-11-26 09:17:56.221007+00
\.
COPY image_library_internal.approval (repository_id, digest, state, approvals, decision_id, decided_at, valid_until, reset_at, deprecated_from, deprecation_id, quarantined_at, quarantine_id) FROM stdin;
2	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	approved	1	1	2026-11-26 09:17:56.589293+00	\N	\N	\N	\N	\N	\N
3	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	approved	1	2	2026-11-26 09:17:56.655726+00	\N	\N	\N	\N	\N	\N
4	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	approved	1	3	2026-11-26 09:17:56.696192+00	\N	\N	\N	\N	\N	\N
5	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	approved	1	4	2026-11-26 09:17:56.718887+00	\N	\N	\N	\N	\N	\N
6	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	approved	1	5	2026-11-26 09:17:56.721635+00	\N	\N	\N	\N	\N	\N
7	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	approved	1	6	2026-11-26 09:17:56.748784+00	\N	\N	\N	\N	\N	\N
10	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	approved	1	9	2026-11-26 09:17:56.800983+00	\N	\N	\N	\N	\N	\N
10	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	approved	1	10	2026-11-26 09:17:56.831674+00	\N	\N	\N	\N	\N	\N
12	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	approved	1	12	2026-11-26 09:17:56.869276+00	\N	\N	\N	\N	\N	\N
12	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	approved	1	13	2026-11-26 09:17:56.897016+00	\N	\N	\N	\N	\N	\N
12	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	approved	1	14	2026-11-26 09:17:56.939737+00	\N	\N	\N	\N	\N	\N
12	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	approved	1	15	2026-11-26 09:17:56.942253+00	\N	\N	\N	\N	\N	\N
12	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	approved	1	16	2026-11-26 09:17:56.97816+00	\N	\N	\N	\N	\N	\N
11	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	revoked	1	17	2026-11-26 09:17:57.033722+00	\N	\N	\N	\N	\N	\N
8	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	approved	1	7	2026-11-26 09:17:56.775767+00	\N	\N	\N	\N	2026-11-26 09:17:57.943919+00	19
8	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	approved	1	8	2026-11-26 09:17:56.778135+00	\N	\N	2027-11-26 09:17:57.958512+00	20	\N	\N
1	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	approved	2	21	2026-11-26 09:17:59.04969+00	2027-11-26 09:17:57.798525+00	\N	\N	\N	\N	\N
\.
COPY image_library_internal.approval_request (repository_id, digest, requester, requester_id, tag, reason, requested_at, ended_at) FROM stdin;
\.
COPY image_library_internal.approval_vote (repository_id, digest, voter, voter_id, voted_at, valid_until) FROM stdin;
\.
COPY image_library_internal.audit_entry (audit_id, at, actor, action, object, name, registry_id, registry, old, new, transaction, client_address) FROM stdin;
1	2026-11-26 09:17:54.775358+00	postgres	added	registry	local	1	local	\N	{"host": "127.0.0.1:24224", "name": "local", "owner": "team", "proxy": null, "prefix": "", "scheme": "http", "enabled": true, "private": false, "created_at": "2026-11-26T09:17:54.775358+00:00", "created_by": "postgres", "realm_hosts": [], "registry_id": 1, "allow_private": true, "sync_interval": "00:15:00", "ca_certificate": null, "max_connections": 16, "requests_per_run": null, "requests_per_second": null}	729	\N
2	2026-11-26 09:17:54.818864+00	postgres	added	credential	local	1	local	\N	{"kind": "password", "set_at": "2026-11-26T09:17:54.818864+00:00", "repository_prefix": ""}	730	\N
3	2026-11-26 09:17:54.830503+00	postgres	added	rule	1	1	local	\N	{"kind": "auto", "tags": ["*"], "owner": null, "action": "include", "newest": null, "enabled": true, "rule_id": 1, "approval": "manual", "priority": 100, "platforms": null, "created_at": "2026-11-26T09:17:54.830503+00:00", "created_by": "postgres", "registry_id": 1, "exclude_tags": [], "repositories": "**", "immutable_tags": false, "required_approvals": 1, "separate_requester": false}	731	\N
4	2026-11-26 09:17:54.853548+00	postgres	added	HM tag	production	\N	\N	\N	{"name": "production", "color": "#00ff00", "hm_tag_id": 1, "created_at": "2026-11-26T09:17:54.853548+00:00", "created_by": "postgres"}	732	\N
5	2026-11-26 09:17:54.862519+00	postgres	added	channel	prod	1	local	\N	{"os": null, "name": "prod", "owner": null, "flavor": "postgresql", "variant": null, "versions": "17.*", "channel_id": 1, "created_at": "2026-11-26T09:17:54.862519+00:00", "created_by": "postgres", "registry_id": 1, "repositories": ["postgresql"]}	733	\N
6	2026-11-26 09:17:54.862519+00	postgres	added	extension alias	mine	\N	\N	\N	{"alias": "mine", "source": null, "extension": "theirs", "created_at": "2026-11-26T09:17:54.862519+00:00", "created_by": "postgres"}	733	\N
7	2026-11-26 09:17:56.382165+00	postgres	added	HM tag of	production: postgresql	1	local	\N	{"hm_tag_id": 1, "repository_id": 12}	766	\N
8	2026-11-26 09:17:57.166545+00	postgres	added	registry	secret	2	secret	\N	{"host": "registry.example.com", "name": "secret", "owner": "team", "proxy": null, "prefix": "", "scheme": "https", "enabled": true, "private": true, "created_at": "2026-11-26T09:17:57.166545+00:00", "created_by": "postgres", "realm_hosts": [], "registry_id": 2, "allow_private": false, "sync_interval": "00:15:00", "ca_certificate": null, "max_connections": 16, "requests_per_run": null, "requests_per_second": null}	769	\N
9	2026-11-26 09:17:57.238523+00	postgres	added	credential	secret	2	secret	\N	{"kind": "file", "set_at": "2026-11-26T09:17:57.238523+00:00", "repository_prefix": ""}	770	\N
10	2026-11-26 09:17:57.238523+00	postgres	added	credential	secret/nim	2	secret	\N	{"kind": "password", "set_at": "2026-11-26T09:17:57.238523+00:00", "repository_prefix": "nim"}	770	\N
11	2026-11-26 09:17:57.263183+00	postgres	added	policy	local only	\N	\N	\N	{"name": "local only", "effect": "require", "enabled": true, "function": "governance.is_local", "policy_id": 1, "applies_to": "all", "created_at": "2026-11-26T09:17:57.263183+00:00", "created_by": "postgres"}	773	\N
12	2026-11-26 09:17:57.263183+00	postgres	added	policy	signed	\N	\N	\N	{"name": "signed", "effect": "warn", "enabled": true, "function": "image_library.is_signed", "policy_id": 2, "applies_to": "model", "created_at": "2026-11-26T09:17:57.263183+00:00", "created_by": "postgres"}	773	\N
13	2026-11-26 09:17:57.283552+00	postgres	changed	policy	signed	\N	\N	{"enabled": true}	{"enabled": false}	774	\N
14	2026-11-26 09:17:57.286507+00	postgres	changed	rule	1	1	local	{"required_approvals": 1}	{"required_approvals": 2}	775	\N
15	2026-11-26 09:17:58.052038+00	postgres	added	HM tag of	production: edb-postgres-advanced:18.3-2605132051-full	1	local	\N	{"tag": "18.3-2605132051-full", "hm_tag_id": 1, "repository_id": 8}	781	\N
16	2026-11-26 09:17:58.07851+00	postgres	added	annotation key	title 1	\N	\N	\N	{"key": "com.example.title", "purpose": "title", "position": 1}	782	\N
17	2026-11-26 09:17:58.07851+00	postgres	added	annotation key	title 2	\N	\N	\N	{"key": "org.opencontainers.image.title", "purpose": "title", "position": 2}	782	\N
18	2026-11-26 09:17:58.378514+00	postgres	added	model facts	nim/meta/llama-3.1-8b-instruct	1	local	\N	{"task": "chat", "reason": "measured", "set_at": "2026-11-26T09:17:58.378514+00:00", "set_by": "postgres", "profiles": [{"pp": 1, "tp": 2, "lora": false, "name": "vllm-bf16-tp2-pp1", "buildable": false, "gpu_count": 2}], "gpu_count": null, "from_version": "", "repository_id": 6, "before_version": null}	783	\N
19	2026-11-26 09:17:58.462547+00	postgres	added	rule	2	1	local	\N	{"kind": "auto", "tags": ["*"], "owner": null, "action": "include", "newest": null, "enabled": true, "rule_id": 2, "approval": "manual", "priority": 100, "platforms": null, "created_at": "2026-11-26T09:17:58.462547+00:00", "created_by": "postgres", "registry_id": 1, "exclude_tags": [], "repositories": "other/**", "immutable_tags": false, "required_approvals": 1, "separate_requester": false}	784	\N
20	2026-11-26 09:17:58.462547+00	postgres	dropped	rule	2	1	local	{"kind": "auto", "tags": ["*"], "owner": null, "action": "include", "newest": null, "enabled": true, "rule_id": 2, "approval": "manual", "priority": 100, "platforms": null, "created_at": "2026-11-26T09:17:58.462547+00:00", "created_by": "postgres", "registry_id": 1, "exclude_tags": [], "repositories": "other/**", "immutable_tags": false, "required_approvals": 1, "separate_requester": false}	\N	784	\N
21	2026-11-26 09:17:58.462547+00	postgres	added	HM tag	gone	\N	\N	\N	{"name": "gone", "color": "gray", "hm_tag_id": 2, "created_at": "2026-11-26T09:17:58.462547+00:00", "created_by": "postgres"}	784	\N
22	2026-11-26 09:17:58.634573+00	postgres	dropped	HM tag	gone	\N	\N	{"name": "gone", "color": "gray", "hm_tag_id": 2, "created_at": "2026-11-26T09:17:58.462547+00:00", "created_by": "postgres"}	\N	785	\N
23	2026-11-26 09:17:58.758519+00	postgres	changed	registry	local	1	local	{"enabled": true}	{"enabled": false}	788	\N
24	2026-11-26 09:17:58.842504+00	postgres	added	rule	3	2	secret	\N	{"kind": "auto", "tags": ["version:>=1"], "owner": null, "action": "include", "newest": null, "enabled": true, "rule_id": 3, "approval": "auto", "priority": 100, "platforms": null, "created_at": "2026-11-26T09:17:58.842504+00:00", "created_by": "postgres", "registry_id": 2, "exclude_tags": [], "repositories": "nim/**", "immutable_tags": false, "required_approvals": 1, "separate_requester": false}	789	\N
\.
COPY image_library_internal.chain ("position", log, number, previous_hash, row_hash) FROM stdin;
1	audit	1	\\x	\\x324be7cbef58a4ebd7ce9b77269b193f75e670a1dc4c35b3a5dbf732be92ab02
2	audit	2	\\x324be7cbef58a4ebd7ce9b77269b193f75e670a1dc4c35b3a5dbf732be92ab02	\\xdf144cbdea2fbd4a702be17d6a295ba4e4385ef6c95962aba0212971d5848d52
3	audit	3	\\xdf144cbdea2fbd4a702be17d6a295ba4e4385ef6c95962aba0212971d5848d52	\\x73bd736ac2ff918abc628d6928140dcf5255dd5d874f47b9c6c286dbbc73c9ef
4	audit	4	\\x73bd736ac2ff918abc628d6928140dcf5255dd5d874f47b9c6c286dbbc73c9ef	\\x5b997a699b46335c6bc3fc64625a6441afcaab872ac33888ba177395d38a7c80
5	audit	5	\\x5b997a699b46335c6bc3fc64625a6441afcaab872ac33888ba177395d38a7c80	\\xea20a9116e5983c6af4f7394af6a12776aab1d2cbdcf1df3f53dada4a5d8922f
6	audit	6	\\xea20a9116e5983c6af4f7394af6a12776aab1d2cbdcf1df3f53dada4a5d8922f	\\xa39ce97408cf0e3db872c2c596dbd6737e084f1414533c2c6c3fd84cbe664f99
7	audit	7	\\xa39ce97408cf0e3db872c2c596dbd6737e084f1414533c2c6c3fd84cbe664f99	\\xd43a554c06cac2b8e94484b429c361b9445bfccfbdcca3f42157cadb6dfdbc23
8	decisions	1	\\xd43a554c06cac2b8e94484b429c361b9445bfccfbdcca3f42157cadb6dfdbc23	\\x0e0fd3ed0a1ab89ae2f20def391556dce94e37565cd57ae834f3d108bc8e6ff7
9	decisions	2	\\x0e0fd3ed0a1ab89ae2f20def391556dce94e37565cd57ae834f3d108bc8e6ff7	\\x5cf24fb21a602aa83685e547f3542f4a18dfe256444c5583eb81352bd0a40600
10	decisions	3	\\x5cf24fb21a602aa83685e547f3542f4a18dfe256444c5583eb81352bd0a40600	\\xd23233c3e0879c9aa62f463d7634848ac610fc6a3466aee751c9172176b55481
11	decisions	4	\\xd23233c3e0879c9aa62f463d7634848ac610fc6a3466aee751c9172176b55481	\\x47a5d72c4ec3e642e41881b0065239fc816227064b1f37b586649edfa3d739ab
12	decisions	5	\\x47a5d72c4ec3e642e41881b0065239fc816227064b1f37b586649edfa3d739ab	\\x02f4ca95bfd9aac9ae46f7822b4f1dcbbf9facc308921e8907daac75a397d43e
13	decisions	6	\\x02f4ca95bfd9aac9ae46f7822b4f1dcbbf9facc308921e8907daac75a397d43e	\\x885f8b931a7211d5bd0d739bcc42df8bf2f0f09ff4b3e861693e031eaa4dfa6d
14	decisions	7	\\x885f8b931a7211d5bd0d739bcc42df8bf2f0f09ff4b3e861693e031eaa4dfa6d	\\x6b3ddb37b6db373a197ef7325723adb9d45a877749438549e90718b545e754e2
15	decisions	8	\\x6b3ddb37b6db373a197ef7325723adb9d45a877749438549e90718b545e754e2	\\xb903427072e5a256b333ef836607831450ed0ef02e7a394bca2b1bcdd6c42e64
16	decisions	9	\\xb903427072e5a256b333ef836607831450ed0ef02e7a394bca2b1bcdd6c42e64	\\xaf5911187c71e4f443a21e7562c3e0c3130835d5c8aaa8172513bbf5479e1af3
17	decisions	10	\\xaf5911187c71e4f443a21e7562c3e0c3130835d5c8aaa8172513bbf5479e1af3	\\x13c61c4dc2f4ed0d6d3b7041eadbdf0b704fa35094223ac7084e450f122ba3d7
18	decisions	11	\\x13c61c4dc2f4ed0d6d3b7041eadbdf0b704fa35094223ac7084e450f122ba3d7	\\xc5dd2d6a6086b939816d5e2bb11b9f17bc70c97ad8e63e75afdb65d764503ce0
19	decisions	12	\\xc5dd2d6a6086b939816d5e2bb11b9f17bc70c97ad8e63e75afdb65d764503ce0	\\xcfd59cfb4c60aca00316167b66da930ccd01a4dbb6dd1157e0314adebdd4623a
20	decisions	13	\\xcfd59cfb4c60aca00316167b66da930ccd01a4dbb6dd1157e0314adebdd4623a	\\xc0629be6643e376a76250cc717b5ed8ae54c008c984b058c759f276003262ef5
21	decisions	14	\\xc0629be6643e376a76250cc717b5ed8ae54c008c984b058c759f276003262ef5	\\x7f689d87a32e6a8837840d7b5a6c3efc7ff52ab801597a5b5a2d7f0e7c812532
22	decisions	15	\\x7f689d87a32e6a8837840d7b5a6c3efc7ff52ab801597a5b5a2d7f0e7c812532	\\xee7411045bca15485e94a8d79dfea6ab18e244dc47f640ae28bc3aee65313955
23	decisions	16	\\xee7411045bca15485e94a8d79dfea6ab18e244dc47f640ae28bc3aee65313955	\\xb6ea68640fb76c4859bd1a0cd3ffb56b185ab52b9fde688be6b4eb78887c0502
24	decisions	17	\\xb6ea68640fb76c4859bd1a0cd3ffb56b185ab52b9fde688be6b4eb78887c0502	\\x0af0a86f93f8d91eee00a382d80acf30f74271ba20ee86d7a24710b92c43a3c4
25	audit	8	\\x0af0a86f93f8d91eee00a382d80acf30f74271ba20ee86d7a24710b92c43a3c4	\\xea19f2f3c7e6422a6862ddd9dcde166f4313aab3ae8f3763f32dc7b5968a58d8
26	audit	9	\\xea19f2f3c7e6422a6862ddd9dcde166f4313aab3ae8f3763f32dc7b5968a58d8	\\x9da4d3429817f67907b4f2b791508b545fb8ff82d83c36b08b2aa4e1821c142f
27	audit	10	\\x9da4d3429817f67907b4f2b791508b545fb8ff82d83c36b08b2aa4e1821c142f	\\xb561db4fc030d30a6a6d0ad9229b03c337089604185c125ed5bd86debe189a3a
28	audit	11	\\xb561db4fc030d30a6a6d0ad9229b03c337089604185c125ed5bd86debe189a3a	\\xd72fb4183bdda8a3aa6c04c6439c44736ee5f0da57cd0f9ecc1830f67ebd6ee8
29	audit	12	\\xd72fb4183bdda8a3aa6c04c6439c44736ee5f0da57cd0f9ecc1830f67ebd6ee8	\\xc95c88e46f9420f014aeb56d5d0621fd4bafbc1f6b1b59a687d8297bb974470f
30	audit	13	\\xc95c88e46f9420f014aeb56d5d0621fd4bafbc1f6b1b59a687d8297bb974470f	\\x2e6161ebb8ab6e8e766c608f35726542aa3fe718ed4bbcff34d51a9a5ec4683e
31	audit	14	\\x2e6161ebb8ab6e8e766c608f35726542aa3fe718ed4bbcff34d51a9a5ec4683e	\\x334b4e1bb0b5aa0ef4efd5d8dbbd3eb3dd23d0bb29ed549424e03e58f58c5d1d
32	decisions	18	\\x334b4e1bb0b5aa0ef4efd5d8dbbd3eb3dd23d0bb29ed549424e03e58f58c5d1d	\\x9adf9f4b5263eb2224546f1de1462b0d2230a0602c66f4530df7d25d3a0c38b6
33	decisions	19	\\x9adf9f4b5263eb2224546f1de1462b0d2230a0602c66f4530df7d25d3a0c38b6	\\x0fe5cd77fb3ce763ef2babff48a944bd4aa7fd96460ea28367a65b890ebcd2d0
34	decisions	20	\\x0fe5cd77fb3ce763ef2babff48a944bd4aa7fd96460ea28367a65b890ebcd2d0	\\xaa92d9376c1a2ed3d61cd9e40071345e07d674a9feee0c26aeb7174ebf3b994a
35	audit	15	\\xaa92d9376c1a2ed3d61cd9e40071345e07d674a9feee0c26aeb7174ebf3b994a	\\xa8456434f7687a0b0063ac175a267d25239e789c44c4fbb1d94de5a63b10ba04
36	audit	16	\\xa8456434f7687a0b0063ac175a267d25239e789c44c4fbb1d94de5a63b10ba04	\\xea4b6dc56260dae039159a9597c7fc3b663341738898f6de7caad7b0fa1c2110
37	audit	17	\\xea4b6dc56260dae039159a9597c7fc3b663341738898f6de7caad7b0fa1c2110	\\x732bb6e634d66284233624d97071ea96522fad5350c9185753586a8405e9207b
38	audit	18	\\x732bb6e634d66284233624d97071ea96522fad5350c9185753586a8405e9207b	\\xb09d946b1aa8c58ee098a613596aac1788ad31cea91248133976caaa5ed81395
39	audit	19	\\xb09d946b1aa8c58ee098a613596aac1788ad31cea91248133976caaa5ed81395	\\x3d308126fc9e03066a5a10c7be15f893d210107927950756e13deaddaca61482
40	audit	20	\\x3d308126fc9e03066a5a10c7be15f893d210107927950756e13deaddaca61482	\\x61ee11466efec34a2839062516084583e9d76e44c611ab0baf979535b02a3312
41	audit	21	\\x61ee11466efec34a2839062516084583e9d76e44c611ab0baf979535b02a3312	\\x32eda340660c1b91bf7671837eeea3be9f2c9b5953de77b4db90adc28b2251bd
42	audit	22	\\x32eda340660c1b91bf7671837eeea3be9f2c9b5953de77b4db90adc28b2251bd	\\x832e93492fdbfdb83e53686018182ed43595d9ed874d79899a8d78a5f5543726
43	audit	23	\\x832e93492fdbfdb83e53686018182ed43595d9ed874d79899a8d78a5f5543726	\\x4d3b495b0ab9afc2f1da2f5089cfb84fa9acd4983d2be96f5cb44d7c84d5fea1
44	audit	24	\\x4d3b495b0ab9afc2f1da2f5089cfb84fa9acd4983d2be96f5cb44d7c84d5fea1	\\xaee1ab7a135b38581f3fa377e330df2aea7f671f95b256c1ed325490888404a0
45	decisions	21	\\xaee1ab7a135b38581f3fa377e330df2aea7f671f95b256c1ed325490888404a0	\\xe7dcbbb34c2bdf348f055384dbff01859427cfd5e07e39edbe639b7b0361b8ee
\.
COPY image_library_internal.channel (channel_id, name, registry_id, repositories, flavor, variant, os, versions, owner, created_at, created_by) FROM stdin;
1	prod	1	{postgresql}	postgresql	\N	\N	17.*	\N	2026-11-26 09:17:54.862519+00	postgres
\.
COPY image_library_internal.decision (decision_id, registry_id, registry, repository, tag, digest, old_state, new_state, actor, decided_at, reason, rule_id, policy, action, valid_until, deprecated_from, statement_at, transaction, client_address) FROM stdin;
1	1	local	models/smollm2	360M-Q4_K_M	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	pending	approved	postgres	2026-11-26 09:17:56.588613+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
2	1	local	models/qwen2.5-7b-instruct	1.0.0	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	pending	approved	postgres	2026-11-26 09:17:56.655406+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
3	1	local	models/phi-4-mini	2.1.0	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	pending	approved	postgres	2026-11-26 09:17:56.695945+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
4	1	local	models/llama3.2	3b	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	pending	approved	postgres	2026-11-26 09:17:56.718618+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
5	1	local	nim/meta/llama-3.1-8b-instruct	1.3.3	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	pending	approved	postgres	2026-11-26 09:17:56.721459+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
6	1	local	nim/nvidia/llama-3.3-nemotron-super-49b-v1	1.8.5	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	pending	approved	postgres	2026-11-26 09:17:56.748587+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
7	1	local	edb-postgres-advanced	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	pending	approved	postgres	2026-11-26 09:17:56.775547+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
8	1	local	edb-postgres-advanced	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	pending	approved	postgres	2026-11-26 09:17:56.778004+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
9	1	local	edb-postgres-extended	17.4-2503191025	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	pending	approved	postgres	2026-11-26 09:17:56.800824+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
10	1	local	edb-postgres-extended	18.3-2605132051-full	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	pending	approved	postgres	2026-11-26 09:17:56.831443+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
11	1	local	cloudnative-pg/postgresql	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	pending	approved	postgres	2026-11-26 09:17:56.833959+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
12	1	local	postgresql	16.8-2503191025	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	pending	approved	postgres	2026-11-26 09:17:56.869113+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
13	1	local	postgresql	17.4-2503191025	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	pending	approved	postgres	2026-11-26 09:17:56.89684+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
14	1	local	postgresql	17.4-2503310734	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	pending	approved	postgres	2026-11-26 09:17:56.939505+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
15	1	local	postgresql	17.4-2503310734-full	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	pending	approved	postgres	2026-11-26 09:17:56.942103+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
16	1	local	postgresql	18.3-2605132051	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	pending	approved	postgres	2026-11-26 09:17:56.977175+00	before the dump	\N	\N	approve	\N	\N	2026-11-26 09:17:56.470514+00	767	\N
17	1	local	cloudnative-pg/postgresql	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	approved	revoked	postgres	2026-11-26 09:17:57.033583+00	and one back	\N	\N	revoke	\N	\N	2026-11-26 09:17:57.030521+00	768	\N
18	1	local	charts/postgres	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	pending	pending	postgres	2026-11-26 09:17:57.915036+00	one of two	1	\N	vote	2027-11-26 09:17:57.798525+00	\N	2026-11-26 09:17:57.798525+00	776	\N
19	1	local	edb-postgres-advanced	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	approved	approved	postgres	2026-11-26 09:17:57.943728+00	scanner alarm	\N	\N	quarantine	\N	\N	2026-11-26 09:17:57.916063+00	777	\N
20	1	local	edb-postgres-advanced	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	approved	approved	postgres	2026-11-26 09:17:57.961142+00	old	\N	\N	deprecate	\N	2027-11-26 09:17:57.958512+00	2026-11-26 09:17:57.958512+00	778	\N
21	1	local	charts/postgres	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	pending	approved	alice	2026-11-26 09:17:59.049156+00	by a curator	1	\N	approve	2027-11-26 09:17:57.798525+00	\N	2026-11-26 09:17:58.946498+00	796	\N
\.
COPY image_library_internal.entry (repository_id, tag, registry_id, repository, digest, kind, approval, usable_until, missing_since, title, description, version, newest_key, size_bytes, created_at, flavor, major_version, build_at, variant, os, features, extensions, publisher, model, model_version, format, task, gpu_count, system_tags, conflicts, deprecated_from, contested, facts_from) FROM stdin;
2	360M-Q4_K_M	1	models/smollm2	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	model	approved	infinity	\N	\N	\N	\N	{"\\\\x00000100000000","\\\\x","\\\\x01","\\\\x000001000030033336304d2d513001345f4b5f4d00003336304d2d51345f4b5f4d"}	2415919486	\N	\N	\N	\N	\N	\N	{}	{}	models	smollm2	\N	docker-model	\N	\N	{}	{}	\N	f	{}
3	1.0.0	1	models/qwen2.5-7b-instruct	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	model	approved	infinity	\N	Qwen2.5 7B Instruct	\N	1.0.0	{"\\\\x01010101000100000100000000312e302e30","\\\\x","\\\\x01","\\\\x01010101000100000100000000312e302e30"}	16106128015	2025-05-06 08:00:00+00	\N	\N	\N	\N	\N	{}	{}	models	qwen2.5-7b-instruct	1.0.0	modelpack	\N	\N	{}	{}	\N	f	{}
4	2.1.0	1	models/phi-4-mini	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	model	approved	infinity	\N	\N	Phi-4 mini, tuned on support tickets	2.1.0	{"\\\\x01010201010100000100000000322e312e30","\\\\x","\\\\x01","\\\\x01010201010100000100000000322e312e30"}	8053064032	\N	\N	\N	\N	\N	\N	{}	{}	models	phi-4-mini	2.1.0	kitops	\N	\N	{}	{}	\N	f	{}
5	3b	1	models/llama3.2	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	model	approved	infinity	\N	\N	\N	\N	{"\\\\x00000100000000","\\\\x","\\\\x01","\\\\x00000100003001336200003362"}	2167407156	\N	\N	\N	\N	\N	\N	{}	{}	models	llama3.2	\N	ollama	\N	\N	{}	{}	\N	f	{}
7	1.8.5	1	nim/nvidia/llama-3.3-nemotron-super-49b-v1	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	model	approved	infinity	\N	nvidia/llama-3.3-nemotron-super-49b-v1	\N	1.8.5	{"\\\\x01010101080105000100000000312e382e35","\\\\x","\\\\x01","\\\\x01010101080105000100000000312e382e35"}	11841569648	2025-05-30 16:40:00+00	\N	\N	\N	\N	\N	{}	{}	nvidia	llama-3.3-nemotron-super-49b-v1	1.8.5	nim	text-generation	4	{}	{}	\N	f	{"task": "shipped", "profiles": "shipped", "gpu_count": "shipped"}
10	17.4-2503191025	1	edb-postgres-extended	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	postgres	approved	infinity	\N	EDB Postgres Extended Server	\N	17.4	{"\\\\x010111010400010000000031372e34","\\\\x000630af6f00d700","\\\\x01","\\\\x01011101040001300c3230323530333139313032350000000031372e342d32353033313931303235"}	31816	2025-03-19 10:25:00+00	pge	17	2025-03-19 10:25:00+00	\N	\N	{pgd,psr,tde}	{"pg_stat_statements 1.11","pgaudit 17.1","pgvector 0.8.0"}	\N	\N	\N	\N	\N	\N	{"Transparent Data Encryption"}	{}	\N	f	\N
10	18.3-2605132051-full	1	edb-postgres-extended	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	postgres	approved	infinity	\N	EDB Postgres Extended Server	\N	18.3	{"\\\\x010112010300010000000031382e33","\\\\x000651b9231a7500","\\\\x00","\\\\x01011201030001300c323032363035313332303531000066756c6c000031382e332d323630353133323035312d66756c6c"}	31816	2026-05-13 20:51:00+00	pge	18	2026-05-13 20:51:00+00	full	\N	{pgd,psr,tde}	{"aidb 4.1.0","bluefin 1.2.0","pg_cron 1.6.5","pg_stat_statements 1.11","pgaudit 17.1","pgvector 0.8.0","postgis 3.5.2"}	\N	\N	\N	\N	\N	\N	{"Transparent Data Encryption"}	{}	\N	f	\N
12	16.8-2503191025	1	postgresql	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	postgres	approved	infinity	\N	PostgreSQL	\N	16.8	{"\\\\x010110010800010000000031362e38","\\\\x000630af6f00d700","\\\\x01","\\\\x01011001080001300c3230323530333139313032350000000031362e382d32353033313931303235"}	31780	2025-03-19 10:25:00+00	postgresql	16	2025-03-19 10:25:00+00	\N	\N	{}	{}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
12	17.4-2503191025	1	postgresql	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	postgres	approved	infinity	\N	PostgreSQL	\N	17.4	{"\\\\x010111010400010000000031372e34","\\\\x000630af6f00d700","\\\\x01","\\\\x01011101040001300c3230323530333139313032350000000031372e342d32353033313931303235"}	31780	2025-03-19 10:25:00+00	postgresql	17	2025-03-19 10:25:00+00	\N	\N	{}	{}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
12	17.4-2503310734	1	postgresql	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	postgres	approved	infinity	\N	PostgreSQL	\N	17.4	{"\\\\x010111010400010000000031372e34","\\\\x0006319e718e2a00","\\\\x01","\\\\x01011101040001300c3230323530333331303733340000000031372e342d32353033333130373334"}	31780	2025-03-31 07:34:00+00	postgresql	17	2025-03-31 07:34:00+00	\N	\N	{}	{}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
12	17.4-2503310734-full	1	postgresql	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	postgres	approved	infinity	\N	PostgreSQL	\N	17.4	{"\\\\x010111010400010000000031372e34","\\\\x0006319e718e2a00","\\\\x00","\\\\x01011101040001300c323032353033333130373334000066756c6c000031372e342d323530333331303733342d66756c6c"}	31780	2025-03-31 07:34:00+00	postgresql	17	2025-03-31 07:34:00+00	full	\N	{psr}	{"aidb 4.1.0","bluefin 1.2.0","pg_cron 1.6.5","pg_stat_statements 1.11","pgaudit 17.1","pgvector 0.8.0","postgis 3.5.2"}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
12	18.3-2605132051	1	postgresql	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	postgres	approved	infinity	\N	PostgreSQL	\N	18.3	{"\\\\x010112010300010000000031382e33","\\\\x000651b9231a7500","\\\\x01","\\\\x01011201030001300c3230323630353133323035310000000031382e332d32363035313332303531"}	31780	2026-05-13 20:51:00+00	postgresql	18	2026-05-13 20:51:00+00	\N	\N	{}	{}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
11	18.6-202608170814-minimal-trixie	1	cloudnative-pg/postgresql	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	postgres	revoked	-infinity	\N	CloudNativePG PostgreSQL minimal	CloudNativePG PostgreSQL minimal, for CloudNativePG	18.6	{"\\\\x010112010600010000000031382e36","\\\\x00065939c0a04200","\\\\x00","\\\\x01011201060001300c32303236303831373038313400006d696e696d616c007472697869650031382e362d3230323630383137303831342d6d696e696d616c2d747269786965"}	21702	2026-08-17 08:14:00+00	postgresql	18	2026-08-17 08:14:00+00	minimal	trixie	{}	{}	\N	\N	\N	\N	\N	\N	{}	{}	\N	f	\N
8	17.4-2503191025	1	edb-postgres-advanced	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	postgres	approved	-infinity	\N	EDB Postgres Advanced Server	\N	17.4	{"\\\\x010111010400010000000031372e34","\\\\x000630af6f00d700","\\\\x01","\\\\x01011101040001300c3230323530333139313032350000000031372e342d32353033313931303235"}	31816	2025-03-19 10:25:00+00	epas	17	2025-03-19 10:25:00+00	\N	\N	{analytics,pgd,psr,tde}	{"pg_stat_statements 1.11","pgaudit 17.1","pgvector 0.8.0"}	\N	\N	\N	\N	\N	\N	{"Transparent Data Encryption"}	{}	\N	f	\N
8	18.3-2605132051-full	1	edb-postgres-advanced	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	postgres	approved	2027-11-26 09:17:57.958512+00	\N	EDB Postgres Advanced Server	\N	18.3	{"\\\\x010112010300010000000031382e33","\\\\x000651b9231a7500","\\\\x00","\\\\x01011201030001300c323032363035313332303531000066756c6c000031382e332d323630353133323035312d66756c6c"}	31816	2026-05-13 20:51:00+00	epas	18	2026-05-13 20:51:00+00	full	\N	{analytics,pgd,psr,tde}	{"aidb 4.1.0","bluefin 1.2.0","pg_cron 1.6.5","pg_stat_statements 1.11","pgaudit 17.1","pgvector 0.8.0","postgis 3.5.2"}	\N	\N	\N	\N	\N	\N	{"Transparent Data Encryption"}	{}	2027-11-26 09:17:57.958512+00	f	\N
6	1.3.3	1	nim/meta/llama-3.1-8b-instruct	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	model	approved	infinity	\N	meta/llama-3.1-8b-instruct	\N	1.3.3	{"\\\\x01010101030103000100000000312e332e33","\\\\x","\\\\x01","\\\\x01010101030103000100000000312e332e33"}	6472860655	2024-11-19 09:12:00+00	\N	\N	\N	\N	\N	{}	{}	meta	llama-3.1-8b-instruct	1.3.3	nim	chat	2	{}	{}	\N	f	{"task": "curator", "profiles": "curator", "gpu_count": "curator"}
\.
COPY image_library_internal.event (transaction, event_id, at, event, registry_id, registry, repository, tag, digest, detail) FROM stdin;
729	1	2026-11-26 09:17:54.804097+00	registry added	1	local	\N	\N	\N	{"actor": "postgres", "audit_id": 1}
731	2	2026-11-26 09:17:54.833838+00	rule added	1	local	\N	\N	\N	{"actor": "postgres", "rule_id": 1, "audit_id": 3}
733	3	2026-11-26 09:17:54.86468+00	channel added	1	local	\N	\N	\N	{"actor": "postgres", "channel": "prod", "audit_id": 5}
738	4	2026-11-26 09:17:55.085016+00	tag added	1	local	charts/postgres	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	{}
740	5	2026-11-26 09:17:55.484104+00	tag added	1	local	models/smollm2	360M-Q4_K_M	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	{}
742	6	2026-11-26 09:17:55.627917+00	tag added	1	local	models/qwen2.5-7b-instruct	1.0.0	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	{}
744	7	2026-11-26 09:17:55.703588+00	tag added	1	local	models/phi-4-mini	2.1.0	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	{}
746	8	2026-11-26 09:17:55.767419+00	tag added	1	local	models/llama3.2	3b	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	{}
748	9	2026-11-26 09:17:55.879201+00	tag added	1	local	nim/meta/llama-3.1-8b-instruct	1.3.3	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	{}
750	10	2026-11-26 09:17:56.061221+00	tag added	1	local	nim/nvidia/llama-3.3-nemotron-super-49b-v1	1.8.5	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	{}
752	11	2026-11-26 09:17:56.098423+00	tag added	1	local	edb-postgres-advanced	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	{}
752	12	2026-11-26 09:17:56.09843+00	tag added	1	local	edb-postgres-advanced	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	{}
754	13	2026-11-26 09:17:56.150689+00	tag added	1	local	cloudnative-pg/pgvector	0.8.6-202608201414-18-trixie	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	{}
756	14	2026-11-26 09:17:56.17218+00	tag added	1	local	edb-postgres-extended	17.4-2503191025	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	{}
756	15	2026-11-26 09:17:56.172188+00	tag added	1	local	edb-postgres-extended	18.3-2605132051-full	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	{}
758	16	2026-11-26 09:17:56.197283+00	tag added	1	local	cloudnative-pg/postgresql	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	{}
760	17	2026-11-26 09:17:56.255742+00	tag added	1	local	postgresql	16.8-2503191025	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	{}
760	18	2026-11-26 09:17:56.25575+00	tag added	1	local	postgresql	17.4-2503191025	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	{}
760	19	2026-11-26 09:17:56.255753+00	tag added	1	local	postgresql	17.4-2503310734	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	{}
760	20	2026-11-26 09:17:56.255754+00	tag added	1	local	postgresql	17.4-2503310734-full	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	{}
760	21	2026-11-26 09:17:56.255756+00	tag added	1	local	postgresql	18.3-2605132051	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	{}
767	22	2026-11-26 09:17:56.589094+00	image approved	1	local	models/smollm2	360M-Q4_K_M	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	{"actor": "postgres", "reason": "before the dump", "decision_id": 1}
767	23	2026-11-26 09:17:56.655559+00	image approved	1	local	models/qwen2.5-7b-instruct	1.0.0	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	{"actor": "postgres", "reason": "before the dump", "decision_id": 2}
767	24	2026-11-26 09:17:56.696077+00	image approved	1	local	models/phi-4-mini	2.1.0	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	{"actor": "postgres", "reason": "before the dump", "decision_id": 3}
767	25	2026-11-26 09:17:56.718774+00	image approved	1	local	models/llama3.2	3b	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	{"actor": "postgres", "reason": "before the dump", "decision_id": 4}
767	26	2026-11-26 09:17:56.721562+00	image approved	1	local	nim/meta/llama-3.1-8b-instruct	1.3.3	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	{"actor": "postgres", "reason": "before the dump", "decision_id": 5}
767	27	2026-11-26 09:17:56.748695+00	image approved	1	local	nim/nvidia/llama-3.3-nemotron-super-49b-v1	1.8.5	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	{"actor": "postgres", "reason": "before the dump", "decision_id": 6}
767	28	2026-11-26 09:17:56.775679+00	image approved	1	local	edb-postgres-advanced	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	{"actor": "postgres", "reason": "before the dump", "decision_id": 7}
767	29	2026-11-26 09:17:56.778084+00	image approved	1	local	edb-postgres-advanced	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	{"actor": "postgres", "reason": "before the dump", "decision_id": 8}
767	30	2026-11-26 09:17:56.800918+00	image approved	1	local	edb-postgres-extended	17.4-2503191025	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	{"actor": "postgres", "reason": "before the dump", "decision_id": 9}
767	31	2026-11-26 09:17:56.831571+00	image approved	1	local	edb-postgres-extended	18.3-2605132051-full	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	{"actor": "postgres", "reason": "before the dump", "decision_id": 10}
767	32	2026-11-26 09:17:56.834048+00	image approved	1	local	cloudnative-pg/postgresql	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	{"actor": "postgres", "reason": "before the dump", "decision_id": 11}
767	33	2026-11-26 09:17:56.869209+00	image approved	1	local	postgresql	16.8-2503191025	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	{"actor": "postgres", "reason": "before the dump", "decision_id": 12}
767	34	2026-11-26 09:17:56.896948+00	image approved	1	local	postgresql	17.4-2503191025	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	{"actor": "postgres", "reason": "before the dump", "decision_id": 13}
767	35	2026-11-26 09:17:56.939638+00	image approved	1	local	postgresql	17.4-2503310734	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	{"actor": "postgres", "reason": "before the dump", "decision_id": 14}
767	36	2026-11-26 09:17:56.942197+00	image approved	1	local	postgresql	17.4-2503310734-full	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	{"actor": "postgres", "reason": "before the dump", "decision_id": 15}
767	37	2026-11-26 09:17:56.97729+00	image approved	1	local	postgresql	18.3-2605132051	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	{"actor": "postgres", "reason": "before the dump", "decision_id": 16}
768	38	2026-11-26 09:17:57.033669+00	image revoked	1	local	cloudnative-pg/postgresql	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	{"actor": "postgres", "reason": "and one back", "decision_id": 17}
769	39	2026-11-26 09:17:57.2061+00	registry added	2	secret	\N	\N	\N	{"actor": "postgres", "audit_id": 8}
773	40	2026-11-26 09:17:57.265756+00	policy added	\N	\N	\N	\N	\N	{"actor": "postgres", "policy": "local only", "audit_id": 11}
773	41	2026-11-26 09:17:57.266255+00	policy added	\N	\N	\N	\N	\N	{"actor": "postgres", "policy": "signed", "audit_id": 12}
774	42	2026-11-26 09:17:57.284621+00	policy changed	\N	\N	\N	\N	\N	{"actor": "postgres", "policy": "signed", "audit_id": 13}
775	43	2026-11-26 09:17:57.31553+00	rule changed	1	local	\N	\N	\N	{"actor": "postgres", "rule_id": 1, "audit_id": 14}
776	44	2026-11-26 09:17:57.915372+00	image voted for	1	local	charts/postgres	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	{"actor": "postgres", "reason": "one of two", "decision_id": 18}
777	45	2026-11-26 09:17:57.943848+00	image quarantined	1	local	edb-postgres-advanced	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	{"actor": "postgres", "reason": "scanner alarm", "decision_id": 19}
778	46	2026-11-26 09:17:57.961262+00	image deprecated	1	local	edb-postgres-advanced	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	{"actor": "postgres", "reason": "old", "decision_id": 20}
784	47	2026-11-26 09:17:58.464601+00	rule added	1	local	\N	\N	\N	{"actor": "postgres", "rule_id": 2, "audit_id": 19}
784	48	2026-11-26 09:17:58.551888+00	rule dropped	1	local	\N	\N	\N	{"actor": "postgres", "rule_id": 2, "audit_id": 20}
788	49	2026-11-26 09:17:58.817597+00	registry changed	1	local	\N	\N	\N	{"actor": "postgres", "audit_id": 23}
789	50	2026-11-26 09:17:58.846404+00	rule added	2	secret	\N	\N	\N	{"actor": "postgres", "rule_id": 3, "audit_id": 24}
796	51	2026-11-26 09:17:59.049519+00	image approved	1	local	charts/postgres	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	{"actor": "alice", "reason": "by a curator", "decision_id": 21}
\.
COPY image_library_internal.extension_alias (alias, extension, source, created_at, created_by) FROM stdin;
mine	theirs	\N	2026-11-26 09:17:54.862519+00	postgres
\.
COPY image_library_internal.tag (repository_id, registry_id, name, digest, rule_id, first_seen_at, digest_changed_at, missing_since, kind, approval, waits_from, waits_until) FROM stdin;
11	1	18.6-202608170814-minimal-trixie	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	1	2026-11-26 09:17:56.197101+00	2026-11-26 09:17:56.197101+00	\N	postgres	revoked	\N	\N
8	1	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	1	2026-11-26 09:17:56.098231+00	2026-11-26 09:17:56.098231+00	\N	postgres	approved	\N	2027-11-26 09:17:57.958512+00
1	1	16.5.0	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	1	2026-11-26 09:17:55.082655+00	2026-11-26 09:17:55.082655+00	\N	other	approved	2027-11-26 09:17:57.798525+00	\N
9	1	0.8.6-202608201414-18-trixie	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	1	2026-11-26 09:17:56.145231+00	2026-11-26 09:17:56.145231+00	\N	other	pending	-infinity	\N
2	1	360M-Q4_K_M	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae	1	2026-11-26 09:17:55.483895+00	2026-11-26 09:17:55.483895+00	\N	model	approved	\N	\N
3	1	1.0.0	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f	1	2026-11-26 09:17:55.627695+00	2026-11-26 09:17:55.627695+00	\N	model	approved	\N	\N
4	1	2.1.0	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306	1	2026-11-26 09:17:55.703326+00	2026-11-26 09:17:55.703326+00	\N	model	approved	\N	\N
5	1	3b	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	1	2026-11-26 09:17:55.767175+00	2026-11-26 09:17:55.767175+00	\N	model	approved	\N	\N
6	1	1.3.3	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	1	2026-11-26 09:17:55.878994+00	2026-11-26 09:17:55.878994+00	\N	model	approved	\N	\N
7	1	1.8.5	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	1	2026-11-26 09:17:56.061026+00	2026-11-26 09:17:56.061026+00	\N	model	approved	\N	\N
8	1	17.4-2503191025	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	1	2026-11-26 09:17:56.098231+00	2026-11-26 09:17:56.098231+00	\N	postgres	approved	\N	\N
10	1	17.4-2503191025	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	1	2026-11-26 09:17:56.171974+00	2026-11-26 09:17:56.171974+00	\N	postgres	approved	\N	\N
10	1	18.3-2605132051-full	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	1	2026-11-26 09:17:56.171974+00	2026-11-26 09:17:56.171974+00	\N	postgres	approved	\N	\N
12	1	16.8-2503191025	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	1	2026-11-26 09:17:56.255491+00	2026-11-26 09:17:56.255491+00	\N	postgres	approved	\N	\N
12	1	17.4-2503191025	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	1	2026-11-26 09:17:56.255491+00	2026-11-26 09:17:56.255491+00	\N	postgres	approved	\N	\N
12	1	17.4-2503310734	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	1	2026-11-26 09:17:56.255491+00	2026-11-26 09:17:56.255491+00	\N	postgres	approved	\N	\N
12	1	17.4-2503310734-full	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	1	2026-11-26 09:17:56.255491+00	2026-11-26 09:17:56.255491+00	\N	postgres	approved	\N	\N
12	1	18.3-2605132051	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	1	2026-11-26 09:17:56.255491+00	2026-11-26 09:17:56.255491+00	\N	postgres	approved	\N	\N
\.
COPY image_library_internal.extension_image (repository_id, tag, digest, major_version, os, contested) FROM stdin;
9	0.8.6-202608201414-18-trixie	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	18	trixie	f
\.
COPY image_library_internal.hm_tag (hm_tag_id, name, color, created_at, created_by) FROM stdin;
1	production	#00ff00	2026-11-26 09:17:54.853548+00	postgres
\.
COPY image_library_internal.hm_tag_image (hm_tag_id, repository_id, tag) FROM stdin;
1	8	18.3-2605132051-full
\.
COPY image_library_internal.hm_tag_repository (hm_tag_id, repository_id) FROM stdin;
1	12
\.
COPY image_library_internal.image_extension (digest, name, version, description) FROM stdin;
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	pg_stat_statements	1.11	Planning and execution statistics of statements
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	pgaudit	17.1	Session and object audit logging
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	pgvector	0.8.0	Vector data type, ivfflat and hnsw access methods
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	aidb	4.1.0	AI pipelines and knowledge bases
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	bluefin	1.2.0	Append-only tables
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	pg_cron	1.6.5	Job scheduler
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	pg_stat_statements	1.11	Planning and execution statistics of statements
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	pgaudit	17.1	Session and object audit logging
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	pgvector	0.8.0	Vector data type, ivfflat and hnsw access methods
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	postgis	3.5.2	Geometry, geography, and raster types
sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	pgvector	0.8.6	pgvector for PostgreSQL 18, for CloudNativePG
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	aidb	4.1.0	AI pipelines and knowledge bases
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	bluefin	1.2.0	Append-only tables
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	pg_cron	1.6.5	Job scheduler
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	pg_stat_statements	1.11	Planning and execution statistics of statements
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	pgaudit	17.1	Session and object audit logging
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	pgvector	0.8.0	Vector data type, ivfflat and hnsw access methods
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	postgis	3.5.2	Geometry, geography, and raster types
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	pg_stat_statements	1.11	Planning and execution statistics of statements
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	pgaudit	17.1	Session and object audit logging
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	pgvector	0.8.0	Vector data type, ivfflat and hnsw access methods
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	aidb	4.1.0	AI pipelines and knowledge bases
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	bluefin	1.2.0	Append-only tables
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	pg_cron	1.6.5	Job scheduler
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	pg_stat_statements	1.11	Planning and execution statistics of statements
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	pgaudit	17.1	Session and object audit logging
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	pgvector	0.8.0	Vector data type, ivfflat and hnsw access methods
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	postgis	3.5.2	Geometry, geography, and raster types
\.
COPY image_library_internal.image_platform (digest, manifest_digest, platform, os, architecture, variant, config_digest, size_bytes, created_at, present) FROM stdin;
sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44	linux/amd64	linux	amd64		sha256:79b4096ccb504aa34cca8b9e98fb03a9397f441282a5b8f100802d5dad32c5f4	2167407156	\N	t
sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	linux/amd64	linux	amd64		sha256:b537da6177bd95ffede63629bf65ff8992df58cd9f883bff394f6229e2ca414e	6472860655	2024-11-19 09:12:00+00	t
sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	linux/amd64	linux	amd64		sha256:d9b8b0086891f4e647f462c56acea81eb7c34cc31e641e22b68d5617c70824b9	11841569648	2025-05-30 16:40:00+00	t
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	sha256:aef23c8056e739ae013d41f29d3fa62156b62bbb7c6a1c3f65ff07ec97239c8f	linux/amd64	linux	amd64		sha256:ae719cc7357c8656bb7698fa4daca5d963638fd7833f7625073a95094ea1dd88	31816	2025-03-19 10:25:00+00	t
sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	sha256:7f218d94b359d799adfc06270c09fa722713d49c2e6234a2d70e704d8a312ea8	linux/arm64/v8	linux	arm64	v8	sha256:2434f9b6a2674e5d43357105e6ef2183efa1b08b3fed8f79e90f6e152ffbff88	31831	2025-03-19 10:25:00+00	t
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	sha256:e6d9791fd550abd25e5c1ddbbe8993e33e8e8cad857071db033222a51d4bdf88	linux/amd64	linux	amd64		sha256:17dd0aa97b387f5cc31448c42e188acaea1c8fd7feb03ea7f183a678f786abb3	31816	2026-05-13 20:51:00+00	t
sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	sha256:0b9b4c956ec21bced04eac1d98bae6cb33a1a3cdbbdda6753e079c41e197e961	linux/arm64/v8	linux	arm64	v8	sha256:200bceb2e9dbd1e600d8ed48172bd7a553c724e3e15c72ea33eab15dd5e5b7be	31831	2026-05-13 20:51:00+00	t
sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	sha256:5cfda9734fc00f17e531a9c740f6b8da52f1f3c42445be535be8beb63980c947	linux/amd64	linux	amd64		sha256:d2dd0ea50765e92c1b6206fd393af21f7b492f6071776146d69d14bc0daa5ac2	21724	2026-08-20 14:14:00+00	t
sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	sha256:183d9ac376e622d931f61b87797406432e71b55099448014f44914439d83e40f	linux/arm64/v8	linux	arm64	v8	sha256:7d28d1fdf5ca323d596059ac07b47d17640f0ba8c23208a3f9d5ae8c6f37ec77	21739	2026-08-20 14:14:00+00	t
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	sha256:c240500718d0765145c541953283be59954d2eae1d960e489dc7e3c389a1c36b	linux/amd64	linux	amd64		sha256:9b50d0b957b77bf5256b72443b26ab49aa6a3460d0c440ff76fda9d5d7855e79	31816	2025-03-19 10:25:00+00	t
sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	sha256:434e511b855835beb781bdea9e3823b4f04b89fcd60dee1fdf628564cd99060a	linux/arm64/v8	linux	arm64	v8	sha256:a8a661833a94db5e03f0b84e5aeb63f52e33648c32b044aed54cb871f1756bc3	31831	2025-03-19 10:25:00+00	t
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	sha256:8ed4a4bfdea6e45a09d2775cc07d815b3133eb9c075ce3c314bdfe05efc1ca62	linux/amd64	linux	amd64		sha256:d4479d42d33338f38144aa13bbae6ab9d8b868068d4be8deea8b33329187fd2d	31816	2026-05-13 20:51:00+00	t
sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	sha256:7f887116347feeb73d0edfbb28135ed95cb8b8bc51f297a064270dfbb03c9eb6	linux/arm64/v8	linux	arm64	v8	sha256:6b6bb2dfe524aaf532705d58b20607f01e559f17e6c201d9598400f47ca050d1	31831	2026-05-13 20:51:00+00	t
sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	sha256:b893f783d64838c8cb76f97a77132982e5515e69ff927800f5385ff91392d7b3	linux/amd64	linux	amd64		sha256:cd61082f1b836eee255a653e979b7312285669240f4e2d48790d65c9128344e8	21702	2026-08-17 08:14:00+00	t
sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	sha256:0a0fabaf37fb51f93083ef9aae7f44bd018e76f65773df559f9f762404fbabed	linux/arm64/v8	linux	arm64	v8	sha256:e6519ac097c8eea7d373d493cf8cbe85a096b499c48899b23bf692142332985c	21717	2026-08-17 08:14:00+00	t
sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	linux/amd64	linux	amd64		sha256:6dfae33504be34dd37ada0bfee2597060801892a8fecc61f358636edd81c170c	31780	2025-03-31 07:34:00+00	t
sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1	linux/amd64	linux	amd64		sha256:3db02ef94be5ee048be0b4c2769680fbb3cb83b071bcbcb37388bc03a90d13b6	31780	2025-03-19 10:25:00+00	t
sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f	linux/amd64	linux	amd64		sha256:b489193641581855770d203311a1a5aeb92b6ee019a430799f356bca84b40e89	31780	2026-05-13 20:51:00+00	t
sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623	linux/amd64	linux	amd64		sha256:046bc5e57f48c443a1466dd94caee30a00fa876f2ad09a623506d8885dff825f	31780	2025-03-19 10:25:00+00	t
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	sha256:3dced767d0630b59ee34f364d84ae35a2cece46e73031a13b870f8a99449717b	linux/amd64	linux	amd64		sha256:cf6b724e8dd2b8ed73ef74bc7ffb525d02383eb5fd1a4a4b91e12a01c70ea016	31780	2025-03-31 07:34:00+00	t
sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	sha256:27cf78ee7c48610af06056f2db588fa90d063d7d9fcfc65f7791ca285defa9f4	linux/arm64/v8	linux	arm64	v8	sha256:aa6c6225b0725b4f2211f5f122b7febd687332d2add3c0848d62e50acbc8f000	31795	2025-03-31 07:34:00+00	t
\.
COPY image_library_internal.image_referrer (repository_id, digest, referrer_digest, artifact_type, size_bytes, annotations, source, tag, first_seen_at) FROM stdin;
\N	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	sha256:d5e7a8f6c6b655e09763beee9b9032f5852fdd37d9e8951076110654066d701f	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:aef23c8056e739ae013d41f29d3fa62156b62bbb7c6a1c3f65ff07ec97239c8f"}	index	\N	2026-11-26 09:17:56.096852+00
\N	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a	sha256:5fd14428c8ab8fbaf519527eac0d63110e2f9323c157f40245995777f77c4a87	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:7f218d94b359d799adfc06270c09fa722713d49c2e6234a2d70e704d8a312ea8"}	index	\N	2026-11-26 09:17:56.096852+00
\N	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	sha256:9b609b60593729d0b1177fe654a65dfcd0895b356c366e631b820dc9c44f9cbe	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:e6d9791fd550abd25e5c1ddbbe8993e33e8e8cad857071db033222a51d4bdf88"}	index	\N	2026-11-26 09:17:56.096852+00
\N	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	sha256:520d4d25de2d520840a8abff1202fe41d3ae9aa30648d0122555f17586056963	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:0b9b4c956ec21bced04eac1d98bae6cb33a1a3cdbbdda6753e079c41e197e961"}	index	\N	2026-11-26 09:17:56.096852+00
\N	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	sha256:db4f201f2c74cd447e012d8e99ed179aef7bdd9726f152fd4141f29072a7b0e5	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:5cfda9734fc00f17e531a9c740f6b8da52f1f3c42445be535be8beb63980c947"}	index	\N	2026-11-26 09:17:56.133687+00
\N	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	sha256:147628d4a6abc87ede456da05c4b29ae78d8e2768f22e60a42b7e6572424ce07	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:183d9ac376e622d931f61b87797406432e71b55099448014f44914439d83e40f"}	index	\N	2026-11-26 09:17:56.133687+00
\N	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	sha256:b908a1bf67ae44e0dd8485b212cdcc411bc9df6cff8d8ef856419e367fce5a50	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:c240500718d0765145c541953283be59954d2eae1d960e489dc7e3c389a1c36b"}	index	\N	2026-11-26 09:17:56.153727+00
\N	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305	sha256:ca1ed3569abbe65c3e9b97606dd969d62fdf274712128d5f84f4ab2e1ae4326d	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:434e511b855835beb781bdea9e3823b4f04b89fcd60dee1fdf628564cd99060a"}	index	\N	2026-11-26 09:17:56.153727+00
\N	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	sha256:5e42b2a0b77029a00184cfff1ecc6cfc83be763982a69a8f0b8a75424a3a66c7	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:8ed4a4bfdea6e45a09d2775cc07d815b3133eb9c075ce3c314bdfe05efc1ca62"}	index	\N	2026-11-26 09:17:56.153727+00
\N	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed	sha256:58704bac233e8cd4a6752132c3b279becac705e3fb8e9ef5c792809ece2c6761	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:7f887116347feeb73d0edfbb28135ed95cb8b8bc51f297a064270dfbb03c9eb6"}	index	\N	2026-11-26 09:17:56.153727+00
\N	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	sha256:1d2deaaf8b933b1c0a8dc585c3b0f6473cc13d416c3d1b5fc0c812795c7e0507	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:b893f783d64838c8cb76f97a77132982e5515e69ff927800f5385ff91392d7b3"}	index	\N	2026-11-26 09:17:56.195999+00
\N	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0	sha256:3c809530c6ceb8a4dcef370146856a92bf9438c337709df409dd69960b92c4dc	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:0a0fabaf37fb51f93083ef9aae7f44bd018e76f65773df559f9f762404fbabed"}	index	\N	2026-11-26 09:17:56.195999+00
\N	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	sha256:a4819e909fdb6fa7474f877a79d2b18917a070fe59b3fd91403db79f3e5a31c5	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:3dced767d0630b59ee34f364d84ae35a2cece46e73031a13b870f8a99449717b"}	index	\N	2026-11-26 09:17:56.221007+00
\N	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e	sha256:fc47d8d75ad7fb2ff0dd6f42b86438b26afd891029c1b6e4db985a459b996f99	application/vnd.in-toto+json	465	{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": "sha256:27cf78ee7c48610af06056f2db588fa90d063d7d9fcfc65f7791ca285defa9f4"}	index	\N	2026-11-26 09:17:56.221007+00
12	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	sha256:2f4d45ec1e9a4809707be6fd835949a1f4ddfd17ff8195a3db780371bc4d05be	application/vnd.dev.cosign.simplesigning.v1+json	558	{}	cosign tag	sha256-0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4.sig	2026-11-26 09:17:56.221007+00
12	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	sha256:e19e94d084f78b1e066193e5f011f2e9b1b202d25041953f62bff88ead7d5ca7	application/spdx+json	646	{"org.opencontainers.image.created": "2025-03-31T08:00:00Z"}	fallback tag	sha256-0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4	2026-11-26 09:17:56.221007+00
\.
COPY image_library_internal.image_use (image_use_id, repository_id, tag, digest, consumer, location, used_since, released_at, recorded_by, unmet_policies, policies_checked_at) FROM stdin;
1	8	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	cluster-1	prod	2026-11-26 09:17:57.994522+00	\N	postgres	{}	\N
2	8	18.3-2605132051-full	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69	cluster-2	\N	2026-11-26 09:17:57.994522+00	2026-11-26 09:17:58.026671+00	postgres	{}	\N
\.
COPY image_library_internal.listing (repository_id, tags, fingerprint, changed_at) FROM stdin;
1	{16.5.0}	sha256:a97cc614f821bfa7a1e8a5e4401944a9a93c9e8f270f30cb79b93b1c418ecad4	2026-11-26 09:17:55.050842+00
2	{360M-Q4_K_M}	sha256:e7595f0ef5d1c04f5101b75e27bacaa7e3acd06b9fe84e790f113635108f0bfd	2026-11-26 09:17:55.482874+00
3	{1.0.0}	sha256:59854984853104df5c353e2f681a15fc7924742f9a2e468c29af248dce45ce03	2026-11-26 09:17:55.525973+00
4	{2.1.0}	sha256:c89b87c262e9d5ffd20e73aac74a1772adcc9f5a21682cc33adcf5086e5fef5c	2026-11-26 09:17:55.677676+00
5	{3b}	sha256:963d612ef5714bb3331576839ae512416f83dd94ca83bbb57c02b08a4c69ec2e	2026-11-26 09:17:55.72947+00
6	{1.3.3}	sha256:a74a0cf84ef0b15e01e64746c3465813312b763796f4f6362b092f092dccb8b5	2026-11-26 09:17:55.833173+00
7	{1.8.5}	sha256:6fa53c88aa961145d6a5e470dc2bf4e56f5e9b893e29e3c24a203c4c5759e7ee	2026-11-26 09:17:56.059484+00
8	{17.4-2503191025,18.3-2605132051-full}	sha256:590aad595d09f420e825675b9fc97ac8085ac2d39fe76f88d2b5827c2e6a15c9	2026-11-26 09:17:56.096852+00
9	{0.8.6-202608201414-18-trixie}	sha256:f89332e13c4b2351485a86b6b2998540fdb6a7e76659ed7cb9a2e86c648e932c	2026-11-26 09:17:56.133687+00
10	{17.4-2503191025,18.3-2605132051-full}	sha256:590aad595d09f420e825675b9fc97ac8085ac2d39fe76f88d2b5827c2e6a15c9	2026-11-26 09:17:56.153727+00
11	{18.6-202608170814-minimal-trixie}	sha256:2bb32318be094bd794d317f15aa9b589f82bdc1221f655b71e8d97eb9a6acf88	2026-11-26 09:17:56.195999+00
12	{16.8-2503191025,17.4-2503191025,17.4-2503310734,17.4-2503310734-full,18.3-2605132051,sha256-0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4,sha256-0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4.sig}	sha256:2cb7f957473e2b439b66a33c6e2bd774e62957be54b94b6728b53775f4706d50	2026-11-26 09:17:56.221007+00
\.
COPY image_library_internal.model_fact (repository_id, from_version, before_version, task, gpu_count, profiles, reason, set_at, set_by) FROM stdin;
6		\N	chat	\N	[{"pp": 1, "tp": 2, "lora": false, "name": "vllm-bf16-tp2-pp1", "buildable": false, "gpu_count": 2}]	measured	2026-11-26 09:17:58.378514+00	postgres
\.
COPY image_library_internal.model_profile (repository_id, digest, name, engine, gpu, "precision", tp, pp, gpu_count, qos, lora, buildable, gpu_memory_gb, disk_gb) FROM stdin;
7	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7	4 x l40s	\N	l40s	\N	\N	\N	4	\N	f	f	\N	\N
6	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353	vllm-bf16-tp2-pp1	\N	\N	\N	2	1	2	\N	f	f	\N	\N
\.
COPY image_library_internal.other_conflict (repository_id, tag, conflicts) FROM stdin;
\.
COPY image_library_internal.policy (policy_id, name, function, applies_to, effect, enabled, created_at, created_by, enabled_at) FROM stdin;
1	local only	governance.is_local	all	require	t	2026-11-26 09:17:57.263183+00	postgres	2026-11-26 09:17:57.264637+00
2	signed	image_library.is_signed	model	warn	f	2026-11-26 09:17:57.263183+00	postgres	2026-11-26 09:17:57.26605+00
\.
COPY image_library_internal.policy_verdict (repository_id, digest, unmet, checked_at) FROM stdin;
1	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736	{}	2026-11-26 09:17:57.443956+00
9	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9	{}	2026-11-26 09:17:57.653539+00
\.
COPY image_library_internal.problem (registry_id, repository, tag, problem, detail, first_seen_at, last_seen_at) FROM stdin;
\.
COPY image_library_internal.referrer_check (repository_id, digest, checked_at) FROM stdin;
\.
COPY image_library_internal.refused_removal (repository_id, tags, refused_at, accepted_at, accepted_by) FROM stdin;
\.
COPY image_library_internal.registry_note (registry_id, token_server, warning, noted_at) FROM stdin;
\.
COPY image_library_internal.registry_state (registry_id, not_before, limited_runs, progress, head_refused_at, referrers_refused_at, conditional, conditional_refused_at) FROM stdin;
1	\N	0		\N	2026-11-26 09:17:56.307333+00	t	\N
\.
COPY image_library_internal.repository_readme (repository_id, readme, set_at, set_by) FROM stdin;
12	Read me.	2026-11-26 09:17:58.07851+00	postgres
\.
COPY image_library_internal.repository_text (repository_id, keys) FROM stdin;
1	{3028270,3108975,3225134,3485232,3550773,6386292,6514785,6779493,6840690,7304052,7368563,7497075,7500915,7548784,7566439,7628658,7631663}
2	{2105376,2122863,2125167,2126701,2977135,2978100,3109741,3173677,3285092,3356208,3432299,3551341,6253407,6253856,6515557,6579564,6582115,6646816,6646899,6648365,7036781,7038322,7086112,7105645,7105842,7107360,7107375,7151725,7155057,7156256,7171940,7171948,7299947,7300197,7302252,7418975,7482733,7544947,7548787,7564655}
3	{2105376,2111330,2124142,2125167,2126199,2963298,2976110,3026976,3026990,3028256,3028269,3109239,3154033,3157552,3223088,3288629,3481655,3484983,3629600,3629613,6382443,6430825,6434153,6515488,6517792,6579564,6646896,6646899,6647346,6909555,7020576,7106657,7107360,7107375,7171940,7221806,7238516,7300197,7364963,7436133,7501155,7544945,7548785,7566450,7610477,7631477,7693172,7824750}
4	{2105376,2124649,2125161,2125167,2125678,2125928,2126709,2126953,2126965,2891892,2962464,2962477,2977129,3026976,3027246,3108968,3154032,3223088,3288625,3416173,3419501,6515557,6561903,6579564,6644768,6646899,6648947,6842669,6889579,6892576,6892852,6906731,6909545,6911087,7038324,7039348,7107360,7107375,7170414,7171940,7217267,7234916,7235872,7235884,7300197,7302688,7303283,7303796,7366761,7368562,7368815,7369504,7500832,7544864,7544941,7544944,7548784,7566704,7610484,7629155,7630704,7631648,7632238,7695973,7696496}
5	{2105376,2124908,2125167,2125676,3027488,3107948,3285103,3354162,3367456,6365216,6370094,6384993,6430829,6579564,6646899,7102829,7105633,7107360,7107375,7168288,7168307,7171940,7300197,7302252,7544940,7548780}
7	{2105376,2124908,2125417,2125430,2126949,2962222,2962489,2975589,2977381,2978677,2979377,3027757,3028256,3029038,3107948,3108470,3219566,3223096,3353966,3354163,3422562,3481710,3681845,3760685,6365292,6368563,6369132,6384993,6386793,6434166,6580577,6647151,6647397,6648365,6648417,6649972,6776174,6906144,6906159,6906985,6909216,6909231,6909806,7102829,7105633,7151732,7155566,7168301,7171956,7217184,7220595,7234925,7234930,7235949,7239273,7302688,7302701,7304306,7366002,7482676,7496052,7499630,7566704,7613799,7628152,7629167,7631471,7696485,7745824,7760228,7894061}
8	{2109486,2109742,2109751,2110254,2110510,2122084,2122089,2122094,2122348,2122849,2123108,2123118,2123120,2123381,2125927,2125935,2125939,2126693,2126948,2126962,2961973,2961974,2974052,2975349,2977903,3026976,3027232,3027246,3027249,3027488,3027502,3027757,3028013,3028256,3028270,3028526,3029038,3154017,3154018,3154032,3157560,3158581,3158833,3159345,3219568,3222886,3223088,3223089,3223090,3223094,3223602,3223840,3224370,3225390,3225646,3225905,3285089,3288624,3289141,3290400,3290416,3290672,3353906,3354165,3354937,3355184,3419442,3419697,3481701,3481712,3485234,3485747,3485997,3486003,3550773,3551285,3616305,3616308,3681840,3681843,3748144,6251378,6255476,6365285,6382710,6383972,6384761,6385249,6385251,6385267,6386277,6386464,6386783,6386785,6386789,6387044,6430772,6430832,6434160,6450293,6514020,6517359,6517369,6517536,6517871,6561904,6561907,6578548,6578720,6578733,6579488,6580596,6583905,6627444,6644596,6644768,6644834,6645353,6647141,6647395,6647412,6647905,6648352,6648438,6648608,6648621,6711662,6714732,6774627,6774643,6775157,6775840,6777203,6779493,6780517,6906739,6906978,6909472,6909806,6910752,6911008,7086177,7086181,7105568,7107941,7108980,7169390,7217201,7233900,7234405,7234418,7238512,7238688,7238771,7302688,7303712,7304052,7364978,7364979,7366495,7366497,7366500,7366518,7368563,7369586,7369833,7479344,7479397,7479412,7496046,7497070,7497075,7499630,7501413,7502192,7544881,7544883,7544929,7544934,7544944,7548257,7562610,7565409,7565856,7566433,7566439,7610417,7610468,7626611,7627040,7627124,7627877,7628141,7628649,7628658,7629155,7629167,7630706,7631457,7631648,7693417,7693670,7695468,7758190,7759203,7759218,7958644,7959657}
9	{2961720,2961968,2977895,2978930,3028525,3029038,3108967,3157560,3158324,3158582,3160114,3224621,3224625,3225645,3289137,3289138,3290672,3419441,3420468,3550514,3551288,3681652,3681846,3682864,6386793,6515823,6517871,6581857,6630768,6644596,6762352,6780517,6911589,6912105,7106421,7233908,7304548,7366447,7366518,7498104,7629174,7630706,7631465,7693422,7759149,7759203,7891301}
10	{2109486,2109742,2109751,2110254,2110510,2122089,2122348,2122849,2123108,2123118,2123128,2123381,2125927,2125935,2125939,2126693,2126948,2126962,2961973,2961974,2975096,2975349,2977903,3026976,3027232,3027246,3027249,3027488,3027502,3027757,3028013,3028256,3028270,3028526,3029038,3154018,3154032,3157560,3158581,3158833,3159345,3219568,3222886,3223088,3223089,3223090,3223094,3223602,3223840,3224370,3225390,3225646,3225905,3285104,3288624,3289141,3290400,3290416,3290672,3353906,3354165,3354937,3355184,3419442,3419697,3481701,3481712,3485234,3485747,3485997,3486003,3550773,3551285,3616305,3616308,3681840,3681843,3748144,6251378,6255476,6365285,6383972,6385267,6386277,6386783,6386785,6386789,6387044,6430772,6430832,6434160,6450293,6517359,6517369,6517871,6561904,6561907,6578548,6578720,6578733,6579488,6579556,6580596,6627430,6627440,6627444,6644596,6644768,6644834,6645353,6647141,6647395,6647396,6647412,6648352,6648438,6648608,6648621,6649972,6711662,6714732,6774627,6774643,6775157,6775840,6776096,6777203,6779493,6780517,6906978,6909472,6909806,6910752,6911008,7086177,7086181,7105568,7107941,7169390,7217201,7234418,7234661,7238512,7238688,7238771,7302688,7303712,7304052,7364978,7366495,7366497,7366500,7366501,7366518,7368563,7369586,7369833,7479344,7479408,7479412,7496046,7497070,7497075,7499630,7501413,7502192,7544881,7544883,7544933,7548261,7562610,7565409,7565856,7566433,7566439,7610417,7610468,7626611,7627040,7627124,7627877,7628141,7628142,7628649,7628658,7629167,7630706,7631457,7631648,7693417,7693670,7695468,7759203,7759218,7894117,7958644}
11	{2105376,2122604,2123375,2125161,2125935,2126962,2891878,2961968,2977129,2977895,2978930,3028525,3108975,3158582,3160113,3224621,3225392,3225646,3289138,3290672,3419501,3550514,3551288,3616824,3681846,3682612,3682615,6384672,6384684,6384685,6386793,6515823,6581857,6627360,6627427,6630768,6647911,6648689,6713202,6758512,6762352,6779493,6907168,6909281,6909545,6911589,6912105,7086179,7086189,7086196,7089184,7089524,7106421,7168364,7170414,7233908,7235949,7303712,7304052,7304548,7366432,7366447,7368563,7433248,7479395,7497075,7498104,7565676,7566439,7628658,7629174,7631465,7693422,7759149,7759216,7891301}
12	{2105376,2109486,2109742,2109751,2110254,2110510,2122089,2122348,2123381,2125927,2125935,2125939,2961973,2961974,2975349,3026976,3027232,3027246,3027249,3027488,3027502,3027757,3028013,3028256,3028270,3028526,3029037,3029038,3154018,3154032,3157560,3158581,3158833,3158835,3159345,3159859,3219568,3223088,3223089,3223090,3223094,3223602,3223607,3223840,3224370,3225134,3225390,3225646,3225905,3285104,3288624,3289141,3290400,3290416,3290672,3353906,3354165,3354928,3354937,3355184,3355441,3355680,3355693,3416176,3419442,3419494,3419697,3481712,3485234,3485747,3485984,3486003,3550773,3550776,3551285,3616305,3616308,3617588,3681586,3681840,3681843,3748144,6251378,6255476,6383972,6386783,6386789,6387044,6430772,6450293,6517359,6517871,6578720,6580596,6644596,6645353,6647141,6647412,6648689,6711662,6714732,6774627,6774643,6775157,6777203,6779493,6780517,6906978,6909472,6910752,6911008,7086112,7086177,7086182,7086192,7105568,7107941,7169390,7217201,7238771,7302688,7303712,7304052,7366495,7366497,7366518,7368563,7369586,7433248,7479344,7497075,7499630,7544881,7544883,7565676,7565856,7566433,7566439,7610417,7626611,7627124,7628141,7628649,7628658,7630706,7631648,7693417,7693670,7695468,7759203}
6	{2105376,2122600,2124908,2125157,2125417,2126949,2962222,2963554,2975589,2976110,3027245,3027744,3027758,3107948,3108197,3222840,3223091,3350637,3354161,3354163,3695149,6365292,6368563,6369132,6384993,6386720,6386793,6434153,6514785,6517792,6647397,6648417,6648929,6649972,6776174,6840692,6909216,6909231,6909555,6909806,7102829,7105633,7151715,7151732,7155565,7168301,7169396,7217184,7234930,7235949,7238516,7302688,7496052,7501155,7566450,7610400,7610477,7610478,7613799,7627040,7627055,7628152,7629167,7631477,7693172,7894061}
\.
COPY image_library_internal.rule (rule_id, registry_id, repositories, tags, exclude_tags, action, kind, approval, platforms, immutable_tags, newest, priority, enabled, owner, created_at, created_by, required_approvals, separate_requester) FROM stdin;
1	1	**	{*}	{}	include	auto	manual	\N	f	\N	100	t	\N	2026-11-26 09:17:54.830503+00	postgres	2	f
3	2	nim/**	{version:>=1}	{}	include	auto	auto	\N	f	\N	100	t	\N	2026-11-26 09:17:58.842504+00	postgres	1	f
\.
COPY image_library_internal.run (run_id, registry_id, cause, started_at, finished_at, outcome, error, requests, bytes, not_modified, retries, repositories, tags_seen, images_added, tags_moved, tags_missing, problems, next_at, decided) FROM stdin;
1	1	call	2026-11-26 09:17:54.943882+00	2026-11-26 09:17:56.312874+00	complete	\N	70	59858	0	0	12	18	18	0	0	0	2026-11-26 09:34:06.686715+00	t
\.
COPY image_library_internal.search_word (registry_id, word) FROM stdin;
1	charts
1	postgres
1	models
1	smollm2
1	instruct
1	qwen2.5
1	mini
1	phi
1	llama3.2
1	generation
1	llama
1	meta
1	nim
1	text
1	49b
1	nemotron
1	nvidia
1	super
1	advanced
1	aidb
1	bluefin
1	cron
1	edb
1	epas
1	full
1	pgaudit
1	pgvector
1	postgis
1	server
1	stat
1	statements
1	cloudnative
1	extended
1	pge
1	cloudnativepg
1	minimal
1	postgresql
1	chat
\.
COPY image_library_internal.settled_repository (repository_id, fingerprint, tags) FROM stdin;
\.
COPY image_library_internal.tag_period (repository_id, tag, since, until, digest) FROM stdin;
1	16.5.0	2026-11-26 09:17:55.082655+00	\N	sha256:5535648c3288840daf2e7cf73168cab67fc41443cbed64034150cdbb12c8a736
2	360M-Q4_K_M	2026-11-26 09:17:55.483895+00	\N	sha256:fef21336cd1c3fcb2aa79ecf861d8455a9259ec92be04929049c608e00ae31ae
3	1.0.0	2026-11-26 09:17:55.627695+00	\N	sha256:b44106c2c9f674fb8a07cdf26b3c37bfc06b553aa8b6539eb928aaada702819f
4	2.1.0	2026-11-26 09:17:55.703326+00	\N	sha256:73cefd901e2f20fe9169eaa13aea7a58bcbc9665be97bd1159a71e0ca94aa306
5	3b	2026-11-26 09:17:55.767175+00	\N	sha256:a7e34f21ea80358bdd2a1cdfc512a95113cf1122a29eaab44e6178a26d6c8d44
6	1.3.3	2026-11-26 09:17:55.878994+00	\N	sha256:46d15e4a50f0fe129dee659d763ec5cbace4c72ca88df06e229ff4da16743353
7	1.8.5	2026-11-26 09:17:56.061026+00	\N	sha256:efeb3587348b9ca78644a8c63a6ec5f1a941b0cb9cc27d5a2303d8e649141be7
8	17.4-2503191025	2026-11-26 09:17:56.098231+00	\N	sha256:2f1b3c88c0e89003fc952d1e187798caff90f93852379f62b847695ca32e9f1a
8	18.3-2605132051-full	2026-11-26 09:17:56.098231+00	\N	sha256:d3fdc2d8250106285d8515055d713328f4e3a5b0f4a458a0a9cfdc0afaff1f69
9	0.8.6-202608201414-18-trixie	2026-11-26 09:17:56.145231+00	\N	sha256:9a8aa348c652a8cb6eea9754aebf7f47b9e0b689c41460a69866216afe12f6d9
10	17.4-2503191025	2026-11-26 09:17:56.171974+00	\N	sha256:b8b51a6cbd8b13e311b806f7d29cd6ed4cb5510f6df579759de38f439c5f8305
10	18.3-2605132051-full	2026-11-26 09:17:56.171974+00	\N	sha256:447a8eff17cf127cdfb036634943cc22e45feceb41d7a45b5ee99ee6a8409fed
11	18.6-202608170814-minimal-trixie	2026-11-26 09:17:56.197101+00	\N	sha256:145d1fca9db51793faf496b00940722b2b71de9d80368414abccde9d34ee19c0
12	16.8-2503191025	2026-11-26 09:17:56.255491+00	\N	sha256:c29cf509d7db72617723dfdb15391aa1121962f6b1dc7b9be6a27d4397443623
12	17.4-2503191025	2026-11-26 09:17:56.255491+00	\N	sha256:e26632058f172bd9ab26cf995f11831d41fee0ef2958c61091d43441d845b4e1
12	17.4-2503310734	2026-11-26 09:17:56.255491+00	\N	sha256:0726e845ee958831930eecba19a802e43b087e3cf548ecd931edb1c3cf1227e4
12	17.4-2503310734-full	2026-11-26 09:17:56.255491+00	\N	sha256:01f961a022689e8f25e0378ef5d4b95124914243e70f5d64d5269a2458e4061e
12	18.3-2605132051	2026-11-26 09:17:56.255491+00	\N	sha256:4412e892b20022110e821b00da61936282f5ced09f05ec03077baa6ada968b5f
\.
COPY image_library_internal.unknown_use (unknown_use_id, registry_id, host, repository, tag, digest, consumer, location, used_since, released_at, recorded_by) FROM stdin;
\.
COPY image_library_internal.untagged_check (repository_id, digest, checked_at, gone_since) FROM stdin;
\.
SELECT pg_catalog.setval('image_library_internal.audit_entry_audit_id_seq', 24, true);
SELECT pg_catalog.setval('image_library_internal.channel_channel_id_seq', 1, true);
SELECT pg_catalog.setval('image_library_internal.decision_decision_id_seq', 21, true);
SELECT pg_catalog.setval('image_library_internal.event_event_id_seq', 51, true);
SELECT pg_catalog.setval('image_library_internal.hm_tag_hm_tag_id_seq', 2, true);
SELECT pg_catalog.setval('image_library_internal.image_use_image_use_id_seq', 2, true);
SELECT pg_catalog.setval('image_library_internal.policy_policy_id_seq', 2, true);
SELECT pg_catalog.setval('image_library_internal.registry_registry_id_seq', 2, true);
SELECT pg_catalog.setval('image_library_internal.repository_repository_id_seq', 12, true);
SELECT pg_catalog.setval('image_library_internal.rule_rule_id_seq', 3, true);
SELECT pg_catalog.setval('image_library_internal.run_run_id_seq', 1, true);
SELECT pg_catalog.setval('image_library_internal.tag_count_change_id_seq', 68, true);
SELECT pg_catalog.setval('image_library_internal.unknown_use_unknown_use_id_seq', 1, false);
CREATE TRIGGER guard BEFORE INSERT ON public.cluster FOR EACH ROW EXECUTE FUNCTION image_library.require_approved('image');
GRANT USAGE ON SCHEMA image_library TO grafana;
GRANT SELECT ON TABLE image_library_internal.tag TO image_library_reader;
GRANT SELECT ON TABLE image_library.images TO grafana;
REVOKE ALL ON FUNCTION image_library.revoke(reference text, reason text, registry text) FROM image_library_curator;
GRANT SELECT ON TABLE public.approved TO grafana;
