"""Layout models of the PicoDet family (arXiv 2111.00902): they find the regions of a page in its picture.

PP-Structure's layout models are of this kind. A head for each of the strides 8, 16, 32 and 64 gives every place of its
grid a score for each class and, for each side of a box, a distribution over distances (generalised focal loss); their
means are the box. A box that overlaps a better one of its class is dropped. Runs on OpenVINO, which the base install
includes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import ConversionRejected, ModelError

_STRIDES = (8, 16, 32, 64)
# Of ImageNet, as in its training.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_SCALE = (0.229 * 255, 0.224 * 255, 0.225 * 255)
_LEAST_SCORE = 0.4
_SAME = 0.5
_LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a page: ``left``, ``top``, ``right``, ``bottom`` are shares of its width and height, from the top."""

    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


def convert(source: Path, target: Path, name: str, labels: tuple[str, ...]) -> dict[str, Any]:
    """The ONNX file ``source`` as ``openvino_model.xml`` in ``target``, taking pictures of any size.

    Raises ``ModelError`` for another file and ``ConversionRejected`` if its outputs do not fit ``labels``.
    """
    import openvino as ov
    from openvino.preprocess import PrePostProcessor, ResizeAlgorithm

    try:
        model = ov.Core().read_model(source)
    except RuntimeError as error:
        raise ModelError(f"{source.name} is not a model that OpenVINO reads: {str(error)[:200]}") from None
    shapes = [tuple(output.partial_shape.to_shape()) for output in model.outputs if output.partial_shape.is_static]
    heads = len(_STRIDES)
    if len(shapes) != 2 * heads or any(shape[-1] != len(labels) for shape in shapes[:heads]):
        raise ConversionRejected(
            f"{name} does not end in {heads} heads of {len(labels)} classes and {heads} of boxes: {shapes}",
            remedy="Correct labels in the catalogue; only detectors of the PicoDet family are read",
        )
    _, _, height, width = model.inputs[0].partial_shape.to_shape()
    prepared = PrePostProcessor(model)
    tensor = prepared.input().tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_spatial_dynamic_shape()
    prepared.input().preprocess().convert_element_type(ov.Type.f32).resize(ResizeAlgorithm.RESIZE_LINEAR)
    prepared.input().preprocess().mean(list(_MEAN)).scale(list(_SCALE))
    prepared.input().model().set_layout(ov.Layout("NCHW"))
    model = prepared.build()
    model.set_rt_info(",".join(labels), _LABELS)
    model.set_rt_info(f"{height},{width}", "page")
    target.mkdir(exist_ok=True)
    ov.save_model(model, target / "openvino_model.xml", compress_to_fp16=False)
    Detector(target / "openvino_model.xml").find(np.full((height, width, 3), 255, np.uint8))
    return {"classes": len(labels), "height": int(height), "width": int(width)}


class Detector:
    """A converted layout model. Raises ``ModelError`` if the graph cannot be read."""

    def __init__(self, graph: Path) -> None:
        import openvino as ov

        try:
            core = ov.Core()
            model = core.read_model(graph)
            self.labels = str(model.get_rt_info(_LABELS).astype(str)).split(",")
            size = str(model.get_rt_info("page").astype(str)).split(",")
            self._compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        except RuntimeError as error:
            raise ModelError(f"the layout model {graph} cannot be read: {str(error)[:200]}") from None
        self.height, self.width = int(size[0]), int(size[1])

    def find(self, pixels: Any) -> list[Region]:
        """The regions of a page, best first; ``pixels`` (height x width x 3, bytes) is its picture."""
        found = self._compiled([np.ascontiguousarray(pixels[None])])
        outputs = [found[number][0] for number in range(2 * len(_STRIDES))]
        scores = np.concatenate(outputs[: len(_STRIDES)])
        distances = outputs[len(_STRIDES) :]
        boxes = np.concatenate([self._boxes(*each) for each in zip(distances, _STRIDES, strict=True)])
        boxes = np.clip(boxes / (self.width, self.height, self.width, self.height), 0.0, 1.0)
        regions = []
        for number, label in enumerate(self.labels):
            for index in _best(boxes, scores[:, number]):
                left, top, right, bottom = (float(edge) for edge in boxes[index])
                if right > left and bottom > top:
                    regions.append(Region(label, float(scores[index, number]), left, top, right, bottom))
        return sorted(regions, key=lambda region: -region.score)

    def _boxes(self, logits: Any, stride: int) -> Any:
        """(left, top, right, bottom) in pixels of the model's page for each place of a grid."""
        sides = logits.reshape(len(logits), 4, -1)
        sides = np.exp(sides - sides.max(-1, keepdims=True))
        sides /= sides.sum(-1, keepdims=True)
        away = (sides * np.arange(sides.shape[-1])).sum(-1) * stride
        rows, columns = -(-self.height // stride), -(-self.width // stride)
        down, across = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        x, y = (across.ravel() + 0.5) * stride, (down.ravel() + 0.5) * stride
        return np.stack([x - away[:, 0], y - away[:, 1], x + away[:, 2], y + away[:, 3]], 1)


def _best(boxes: Any, scores: Any) -> list[int]:
    """The places with a sufficient score whose box overlaps no better one."""
    waiting = np.flatnonzero(scores > _LEAST_SCORE)
    waiting = waiting[np.argsort(-scores[waiting], kind="stable")]
    kept = []
    while len(waiting):
        best, waiting = int(waiting[0]), waiting[1:]
        kept.append(best)
        one, others = boxes[best], boxes[waiting]
        across = np.minimum(others[:, 2], one[2]) - np.maximum(others[:, 0], one[0])
        down = np.minimum(others[:, 3], one[3]) - np.maximum(others[:, 1], one[1])
        shared = np.maximum(across, 0) * np.maximum(down, 0)
        areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
        own = (one[2] - one[0]) * (one[3] - one[1])
        waiting = waiting[shared < _SAME * (areas + own - shared)]
    return kept
