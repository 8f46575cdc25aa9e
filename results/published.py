"""What the five studies report, as data: each table's rows, their figures, and which trials of which shipped sweep stand beside them.

Accuracies in percent, as the studies give them. All five chose their models on the test split; where a table says `test`, its study did.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a study's table.

    Attributes:
        label: What was trained.
        theirs: The study's figures, one for each of the table's columns; empty text where it gives none.
        match: Searched parameter -> value of the trials that stand beside it.
    """

    label: str
    theirs: tuple[str, ...]
    match: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a study.

    Attributes:
        title: The question.
        sweep: Name of the shipped sweep that asks it.
        columns: What the study's figures are.
        claim: What the study concludes from them.
        rows: In the study's order.
    """

    title: str
    sweep: str
    columns: tuple[str, ...]
    claim: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a study says of two settings, so that it can be tested: trials alike in `pairs` are compared with each other.

    Attributes:
        text: The claim.
        sweep: Name of the shipped sweep that can tell.
        better: Searched parameter -> value of the trials that are said to be better.
        worse: The same of the others.
        pairs: Searched parameters in which the two trials of a pair agree.
    """

    text: str
    sweep: str
    better: Mapping[str, object]
    worse: Mapping[str, object]
    pairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One study.

    Attributes:
        letter: A to E.
        title: What it did.
        best: Its best figure, with its protocol.
        tables: Its tables.
        claims: What it concludes, where two settings can be compared.
    """

    letter: str
    title: str
    best: str
    tables: tuple[Table, ...]
    claims: tuple[Claim, ...] = ()


def _combination(number: int, parameters: str, train: str, test: str) -> Row:
    return Row(f"combination {number}, {parameters} parameters", (train, test), {"model": f"combination-{number}"})


def _structure(number: int, optimizer: str, test: str, augment: str = "crop and flip") -> Row:
    names = {"sgd": "SGD", "nesterov": "SGD with Nesterov", "adam": "Adam", "adadelta": "Adadelta", "adagrad": "Adagrad"}
    label = f"structure {number}, {names[optimizer]}{', no augmentation' if augment == 'none' else ''}"
    return Row(label, (test,), {"model": f"structure-{number}", "optimizer": optimizer, "augment": augment})


def _optimizers(text: str, better: str, worse: str) -> Claim:
    return Claim(text, "structures-by-optimizer", {"optimizer": better}, {"optimizer": worse}, ("model", "augment", "seed"))


BASE_B = {"model.activation": "leaky_relu", "weight_decay": 0.0, "model.channels": 64, "optimizer": "sgd"}

STUDIES: tuple[Study, ...] = (
    Study(
        "A",
        "ASHA over eight combinations",
        "94.80 % test, 4,327,754 parameters: combination 6 retrained for 200 epochs with dropout and a cosine",
        (
            Table(
                "Eight networks, the best trial of each after at most 25 epochs",
                "resnet-combinations",
                ("train %", "test %"),
                "combination 3 leads after 25 epochs, combination 6 after 200",
                (
                    _combination(1, "2,811,818", "83.17", "67.02"),
                    _combination(2, "4,935,434", "86.68", "72.17"),
                    _combination(3, "4,903,242", "87.14", "78.15"),
                    _combination(4, "3,585,802", "79.09", "70.03"),
                    _combination(5, "4,771,146", "87.96", "75.18"),
                    _combination(6, "4,327,754", "88.36", "75.92"),
                    _combination(7, "4,401,226", "87.99", "72.16"),
                    _combination(8, "1,119,562", "79.67", "73.21"),
                ),
            ),
            Table(
                "Augmentation and normalization of one network",
                "resnet-augmentation",
                ("train %", "test %"),
                "augmentation helps, normalization does not",
                (
                    Row("with augmentation", ("91.58", "87.16"), {"augment": "crop and flip", "normalize": False}),
                    Row("without", ("100", "83.26"), {"augment": "none", "normalize": False}),
                    Row("with normalization", ("86.08", "84.33"), {"augment": "crop and flip", "normalize": True}),
                    Row("also grayscale", ("", ""), {"augment": "also grayscale", "normalize": False}),
                    Row("also vertical flip", ("", ""), {"augment": "also vertical flip", "normalize": False}),
                ),
            ),
        ),
        (
            Claim("augmentation helps", "resnet-augmentation", {"augment": "crop and flip"}, {"augment": "none"}, ("normalize", "seed")),
            Claim(
                "inputs are better left as they are", "resnet-augmentation", {"normalize": False}, {"normalize": True}, ("augment", "seed")
            ),
        ),
    ),
    Study(
        "B",
        "ResNet-18, one factor at a time",
        "95.09 % validation, about 11 M parameters: 120 epochs, SGD, weight decay 1e-4, LeakyReLU",
        (
            Table(
                "One factor at a time, 35 epochs",
                "resnet18-one-factor",
                ("test %",),
                "LeakyReLU, 64 channels, a small weight decay, and SGD by far",
                (
                    Row("activation ReLU", ("81.22",), BASE_B | {"model.activation": "relu"}),
                    Row("activation LeakyReLU (the base)", ("88.67",), BASE_B),
                    Row("activation ELU", ("82.64",), BASE_B | {"model.activation": "elu"}),
                    Row("weight decay 1e-4", ("89.06",), BASE_B | {"weight_decay": 1e-4}),
                    Row("weight decay 5e-4", ("88.93",), BASE_B | {"weight_decay": 5e-4}),
                    Row("weight decay 1e-3", ("85.89",), BASE_B | {"weight_decay": 1e-3}),
                    Row("32 channels", ("83.59",), BASE_B | {"model.channels": 32}),
                    Row("128 channels", ("86.11",), BASE_B | {"model.channels": 128}),
                    Row("optimizer Adam", ("48.17",), BASE_B | {"optimizer": "adam"}),
                    Row("optimizer Adagrad", ("63.91",), BASE_B | {"optimizer": "adagrad"}),
                    Row("optimizer RMSprop", ("31.15",), BASE_B | {"optimizer": "rmsprop"}),
                ),
            ),
            Table(
                "VGG-A, the best of its learning rates",
                "vgg-batchnorm",
                ("test %",),
                "batch norm helps, and narrows the band of losses over learning rates",
                (
                    Row("with batch norm", ("83",), {"model": "VGG-A with batch norm"}),
                    Row("without", ("77",), {"model": "VGG-A"}),
                ),
            ),
        ),
        (Claim("batch norm helps", "vgg-batchnorm", {"model": "VGG-A with batch norm"}, {"model": "VGG-A"}, ("lr", "seed")),),
    ),
    Study(
        "C",
        "Nine structures, five optimizers, augmentation on and off",
        "95.03 % test, 4,977,226 parameters (structure 1, SGD, 500 epochs); its highest figure is 95.33 % (structure 6, SGD)",
        (
            Table(
                "Optimizers and augmentation",
                "structures-by-optimizer",
                ("test %",),
                "SGD and Nesterov lead, Adadelta is close, Adam and Adagrad are behind; augmentation gives three points",
                (
                    _structure(1, "adam", "93.10"),
                    _structure(1, "adadelta", "94.82"),
                    _structure(1, "adagrad", "92.56"),
                    _structure(1, "sgd", "95.03"),
                    _structure(1, "nesterov", "95.02"),
                    _structure(6, "sgd", "95.33"),
                    _structure(1, "adam", "", "none"),
                    _structure(1, "adadelta", "", "none"),
                    _structure(1, "adagrad", "", "none"),
                    _structure(1, "sgd", "", "none"),
                    _structure(1, "nesterov", "", "none"),
                    _structure(9, "nesterov", "91.86", "none"),
                ),
            ),
            Table(
                "Normalization and cosine, structure 1",
                "structure-one-factor",
                (),
                "drawn as curves only",
                (
                    Row("normalized, cosine", (), {"normalize": True, "schedule": "cosine"}),
                    Row("normalized, constant rate", (), {"normalize": True, "schedule": "constant"}),
                    Row("not normalized, cosine", (), {"normalize": False, "schedule": "cosine"}),
                    Row("not normalized, constant rate", (), {"normalize": False, "schedule": "constant"}),
                ),
            ),
        ),
        (
            Claim(
                "augmentation helps",
                "structures-by-optimizer",
                {"augment": "crop and flip"},
                {"augment": "none"},
                ("model", "optimizer", "seed"),
            ),
            _optimizers("SGD is ahead of Adagrad", "sgd", "adagrad"),
            _optimizers("SGD is ahead of Adam", "sgd", "adam"),
            _optimizers("Adadelta is ahead of Adam", "adadelta", "adam"),
            _optimizers("Adagrad is behind Adam", "adam", "adagrad"),
            Claim("normalized inputs are better", "structure-one-factor", {"normalize": True}, {"normalize": False}, ("schedule", "seed")),
            Claim(
                "a cosine is better than a constant rate",
                "structure-one-factor",
                {"schedule": "cosine"},
                {"schedule": "constant"},
                ("normalize", "seed"),
            ),
        ),
    ),
    Study(
        "D",
        "Bayesian optimization with squeeze-and-excitation",
        "84.1 % test, 20 epochs: batch 16, Adam, lr 0.0003717",
        (
            Table(
                "The best of 20 trials by TPE",
                "squeeze-excitation-tpe",
                ("test %",),
                "Adam with a small batch",
                (
                    Row("Adam", ("84.1",), {"optimizer": "adam"}),
                    Row("SGD", ("",), {"optimizer": "sgd"}),
                ),
            ),
        ),
    ),
    Study(
        "E",
        "One-cycle, Lookahead, staged retraining",
        "92.48 % test, 4.994 M parameters: SGD inside Lookahead, 200 epochs as four runs of 50",
        (
            Table(
                "Networks and optimizers",
                "onecycle-lookahead",
                ("train %", "test %"),
                "Lookahead around SGD with a staged retraining leads",
                (
                    Row("Lookahead SGD, 200 epochs, 4.994 M", ("97.94", "92.48"), {"model": "plain"}),
                    Row("SE-ResNet, SGD, 50 epochs, 4.996 M", ("99.78", "91.35"), {"model": "squeezed"}),
                    Row("Wide ResNet, SGD, 100 epochs, 4.042 M", ("92.78", "83.28"), {"model": "wide"}),
                    Row("ResNet, Adam, 100 epochs, 3.572 M", ("100", "87.52"), {"model": "smaller"}),
                    Row("ResNet, SGD, 40 epochs, 3.572 M", ("87.43", "78.82"), {"model": "smaller"}),
                ),
            ),
        ),
        (
            Claim("Lookahead around SGD helps", "onecycle-lookahead", {"lookahead_k": 5}, {"lookahead_k": 0}, ("model", "seed")),
            Claim(
                "squeeze-and-excitation is not worth it",
                "onecycle-lookahead",
                {"model": "smaller"},
                {"model": "squeezed"},
                ("lookahead_k", "seed"),
            ),
        ),
    ),
)
