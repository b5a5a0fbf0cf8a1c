"""The plain way to serve, as a yardstick: FastAPI and the Keras model, one `predict` per request.

    python benchmarks/plain_api.py RUN PORT

The published service loaded the model at every request; here it is loaded once, which is fairer.
"""

import io
import sys
from pathlib import Path

import keras
import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser

MODEL = keras.saving.load_model(Path(sys.argv[1]) / "model.keras", compile=False)
app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
async def predict(request: Request) -> dict[str, list[float]]:
    form = await MultiPartParser(request.headers, request.stream()).parse()
    upload = form["image"]
    assert isinstance(upload, UploadFile)
    content = await upload.read()
    height, width = MODEL.input_shape[1:3]
    image = Image.open(io.BytesIO(content)).convert("RGB").resize((width, height))
    probabilities = MODEL.predict(np.asarray(image, np.float32)[None], verbose=0)
    return {"probabilities": probabilities[0].tolist()}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
