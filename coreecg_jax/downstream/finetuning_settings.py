"""What is chosen about a head, and an encoder, that are trained by gradients."""

import dataclasses

from coreecg_jax.downstream.heads import HEADS

_POSITIVE = (
    "learning_rate",
    "layer_decay",
    "epochs",
    "min_epoch_steps",
    "patience",
    "batch_size",
    "evaluate_crops",
)
_NOT_NEGATIVE = ("warmup_epochs", "min_epochs", "weight_decay", "drop_path", "mixup", "augment")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Hyper-parameters; fields of a group of `configs/downstream/protocols.py`.

    Attributes:
      head: 'attention' (one learned query attends to all tokens) or 'linear' (fixed pooling).
      frozen: the head alone is trained.
      learning_rate: of the head, at the peak.
      layer_decay: the learning rate of a layer over that of the layer above it; 1 for equal rates.
      weight_decay: of kernels of linear layers.
      warmup_epochs: in which the learning rate rises from 0; a cosine to 0 at `epochs` follows.
      epochs: at most; an epoch sees every recording once, but see `min_epoch_steps`.
      min_epoch_steps: of the optimizer: of few recordings an epoch sees each several times. Else a training
        of ten epochs would be ten steps where all recordings fit into one batch.
      min_epochs: at least, whatever `patience` says.
      patience: epochs without a better validation macro AUROC, or an equal one of smaller log loss, after
        which training ends.
      batch_size: recordings.
      drop_path: probability that a recording skips the last layer; earlier ones less (`layers.drop_path`).
      mixup: alpha of the Beta distribution of shares; 0 for none.
      augment: standard deviation of the log amplitude factor, with as many tenths of a millivolt of noise;
        0 for none.
      evaluate_crops: evenly spaced crops of a window whose probabilities are averaged.
    """

    head: str
    frozen: bool
    learning_rate: float
    layer_decay: float = 1.0
    weight_decay: float = 0.05
    warmup_epochs: float = 2.0
    epochs: int = 30
    min_epoch_steps: int = 1
    min_epochs: int = 0
    patience: int = 10
    batch_size: int = 32
    drop_path: float = 0.0
    mixup: float = 0.0
    augment: float = 0.0
    evaluate_crops: int = 3

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"head: expected one of {', '.join(HEADS)}, got {self.head!r}")
        for names, least in ((_POSITIVE, "more than 0"), (_NOT_NEGATIVE, "0 or more")):
            for name in names:
                value = getattr(self, name)
                if not (value > 0 if least == "more than 0" else value >= 0):
                    raise ValueError(f"{name}: expected {least}, got {value}")
        if self.layer_decay > 1 or self.drop_path >= 1:
            raise ValueError(
                "expected layer_decay at most 1 and drop_path below 1, got layer_decay "
                f"{self.layer_decay:g} and drop_path {self.drop_path:g}"
            )
        if self.warmup_epochs >= self.epochs or self.min_epochs > self.epochs:
            raise ValueError(
                f"epochs: expected more than warmup_epochs = {self.warmup_epochs:g} and at least "
                f"min_epochs = {self.min_epochs}, got {self.epochs}"
            )
        if self.frozen and (self.drop_path or self.layer_decay != 1):
            raise ValueError(
                "frozen: expected drop_path 0 and layer_decay 1 with a frozen encoder, got "
                f"{self.drop_path:g} and {self.layer_decay:g}: unfreeze it, or take them out"
            )

    @property
    def of_a_step(self) -> "Settings":
        """Equal for settings that differ in the number or size of steps only: they compile to one program."""
        return dataclasses.replace(
            self,
            learning_rate=1.0,
            warmup_epochs=0.0,
            epochs=1,
            min_epoch_steps=1,
            min_epochs=0,
            patience=1,
            batch_size=1,
            evaluate_crops=1,
        )
