"""AI models in the packagings of the field. The weights are a few bytes that declare the size which
real weights have: a registry of metadata never reads them."""

import oci

GIB = 1 << 30
MIB = 1 << 20


def _weights(media_type, name, size, annotations=None, rebuild=0):
    data = f"weights of {name}, build {rebuild}\n".encode()
    return oci.Blob(media_type, data, annotations or {}, size)


def _text(media_type, text, annotations=None):
    return oci.Blob(media_type, text.encode(), annotations or {})


def nim(name, version, task, profiles, gpus, created, sizes, rebuild):
    """An NVIDIA NIM container: an ordinary Docker image, known by its labels. Of these NVIDIA
    documents model_download_protocol only; the others are what a publisher may add, left out where
    they are None."""
    added = {"task": task, "gpu_count": gpus, "profiles": profiles and ",".join(profiles)}
    labels = {
        "com.nvidia.nim.model_download_protocol": "native-v1",
        "com.nvidia.nim.model": name,
        "com.nvidia.nim.version": version,
        **{f"com.nvidia.nim.{key}": str(value) for key, value in added.items() if value is not None},
        "maintainer": "NVIDIA CORPORATION",
        "org.opencontainers.image.title": name,
    }
    settings = {
        "User": "1000",
        "ExposedPorts": {"8000/tcp": {}},
        "Env": ["NIM_CACHE_PATH=/opt/nim/.cache", f"NIM_MODEL_NAME={name}"],
        "Entrypoint": ["/opt/nim/start_server.sh"],
        "Labels": labels,
    }
    files = [("etc/os-release", "ID=ubuntu\nVERSION_ID=24.04\n"),
             ("opt/nim/manifest", f"{name} {version} build {rebuild}\n")]
    return oci.image(files, "amd64", created, settings, docker=True, sizes=sizes)


def modelpack(rebuild):
    """CNCF ModelPack (github.com/modelpack/model-spec)."""
    kind = "application/vnd.cncf.model"
    path = "org.cncf.model.filepath"
    layers = [
        _weights(f"{kind}.weight.v1.tar", "model-00001", 8 * GIB,
                 {path: "model-00001-of-00002.safetensors"}, rebuild),
        _weights(f"{kind}.weight.v1.tar", "model-00002", 7 * GIB,
                 {path: "model-00002-of-00002.safetensors"}, rebuild),
        _text(f"{kind}.weight.config.v1.tar", '{"model_type": "qwen2"}', {path: "config.json"}),
        _text(f"{kind}.doc.v1.tar", "# Qwen2.5 7B Instruct\n", {path: "README.md"}),
    ]
    config = {
        "descriptor": {
            "createdAt": "2025-05-06T08:00:00Z",
            "family": "qwen2",
            "name": "qwen2.5-7b-instruct",
            "version": "1.0.0",
            "title": "Qwen2.5 7B Instruct",
            "licenses": ["Apache-2.0"],
        },
        "modelfs": {"type": "layers", "diffIds": [oci.digest_of(layer.data) for layer in layers]},
        "config": {
            "architecture": "transformer",
            "format": "safetensors",
            "paramSize": "7b",
            "precision": "bfloat16",
        },
    }
    return oci.manifest(
        oci.Blob(f"{kind}.config.v1+json", oci.encode(config)), layers,
        {"org.opencontainers.image.title": "Qwen2.5 7B Instruct",
         "org.opencontainers.image.created": "2025-05-06T08:00:00Z"},
        artifact_type=f"{kind}.manifest.v1+json")


def kitops(rebuild):
    """KitOps ModelKit (kitops.org): the config is the Kitfile as JSON."""
    kind = "application/vnd.kitops.modelkit"
    config = {
        "manifestVersion": "1.0.0",
        "package": {
            "name": "phi-4-mini",
            "version": "2.1.0",
            "description": "Phi-4 mini, tuned on support tickets",
            "authors": ["ML team"],
        },
        "model": {"name": "phi-4-mini", "path": "./model", "framework": "safetensors",
                  "license": "MIT"},
        "datasets": [{"name": "evaluation", "path": "./evaluation.jsonl"}],
    }
    layers = [
        _weights(f"{kind}.model.v1.tar", "phi-4-mini", 7 * GIB + 512 * MIB, rebuild=rebuild),
        _text(f"{kind}.dataset.v1.tar", '{"question": "2+2", "answer": "4"}\n'),
        _text(f"{kind}.docs.v1.tar", "# Phi-4 mini\n"),
    ]
    return oci.manifest(
        oci.Blob(f"{kind}.config.v1+json", oci.encode(config)), layers,
        {"ml.kitops.modelkit.cli-version": "1.5.0",
         "org.opencontainers.image.description": "Phi-4 mini, tuned on support tickets"})


def docker_model(rebuild):
    """Docker Model Runner (github.com/docker/model-spec)."""
    kind = "application/vnd.docker.ai"
    weights = _weights(f"{kind}.gguf.v3", "smollm2", 2 * GIB + 256 * MIB, rebuild=rebuild)
    licence = _text(f"{kind}.license", "Apache License 2.0\n")
    config = {
        "config": {
            "format": "gguf",
            "quantization": "IQ2_XXS/Q4_K_M",
            "parameters": "361.82 M",
            "architecture": "llama",
            "size": "256.35 MiB",
        },
        "descriptor": {"created": "2025-03-28T11:21:00Z"},
        "rootfs": {"type": "rootfs",
                   "diff_ids": [oci.digest_of(weights.data), oci.digest_of(licence.data)]},
    }
    return oci.manifest(
        oci.Blob(f"{kind}.model.config.v0.1+json", oci.encode(config)), [weights, licence])


def ollama(rebuild):
    """Ollama (github.com/ollama/ollama): a Docker image by type, a model by its layers."""
    kind = "application/vnd.ollama.image"
    layers = [
        _weights(f"{kind}.model", "llama3.2", 2 * GIB + 19 * MIB, rebuild=rebuild),
        _text(f"{kind}.template", "{{ .System }} {{ .Prompt }}"),
        _text(f"{kind}.license", "Llama 3.2 Community License\n"),
        _text(f"{kind}.params", '{"stop":["<|eot_id|>"]}'),
    ]
    config = {
        "model_format": "gguf",
        "model_family": "llama",
        "model_families": ["llama"],
        "model_type": "3.2B",
        "file_type": "Q4_K_M",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [oci.digest_of(layer.data) for layer in layers]},
    }
    return oci.manifest(oci.Blob(oci.DOCKER_CONFIG, oci.encode(config)), layers,
                        media_type=oci.DOCKER_MANIFEST)
