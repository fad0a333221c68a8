"""Every workload, by the name that tables give it."""

from __future__ import annotations

from convolution import Convolution
from convolutional import ConvolutionalNetwork
from perceptrons import Perceptron
from recurrent import Recurrent
from transformer import Block
from workload import Workload

_ALL: tuple[Workload, ...] = (
    Perceptron("W1", 1000, 0.5, (2, 4, 3, 1), "sigmoid", "binary_cross_entropy"),
    Perceptron("W2", 64, 0.01, (784, 128, 64, 10), "softmax", "cross_entropy"),
    Perceptron("W3", 256, 0.001, (1024, 1024, 1024, 10), "softmax", "cross_entropy"),
    ConvolutionalNetwork("W4", 32, 0.01),
    Block("W5", 8, 0.01),
    Convolution("CONV", 16, None),
    Recurrent("LSTM", 32, 0.01),
)
WORKLOADS = {workload.name: workload for workload in _ALL}
