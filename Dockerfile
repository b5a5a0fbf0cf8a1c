# Serves a trained run. Mount the run folder read-only at /model:
#   docker build -t cancernet .
#   docker run --rm -p 127.0.0.1:8000:8000 -e CANCERNET_TOKEN=… \
#     -v "$PWD/output/my-run:/model:ro" --read-only --cap-drop ALL cancernet
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 ORT_DISABLE_TELEMETRY=1
WORKDIR /app

# The names of the extra `serve` (pyproject.toml) without the pipeline, which would bring
# TensorFlow; the versions are those that the tests passed with.
COPY constraints/python3.12.txt constraints.txt
RUN pip install --disable-pip-version-check --constraint constraints.txt \
        numpy isal pillow onnxruntime shapely fastapi starlette python-multipart uvicorn httptools uvloop \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cancernet

COPY cancernet ./cancernet
COPY serve.py LICENSE ./

USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Inside a container every address is the container's own; publish the port on 127.0.0.1.
ENTRYPOINT ["python", "serve.py", "--run", "/model", "--host", "0.0.0.0", "--port", "8000"]
