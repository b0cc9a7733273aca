"""What PyTorch computes on the device of this target, against the processors in double precision."""

import pytest
import torch

# How many times the precision of its type a result may be off.
SLACK = 32


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(autouse=True)
def _the_same_numbers_each_time() -> None:
    torch.manual_seed(7)


def assert_close(found: torch.Tensor, exact: torch.Tensor) -> None:
    error = (found.cpu().double() - exact).abs().max() / exact.abs().max()
    assert error <= SLACK * torch.finfo(found.dtype).eps, f"off by {error:.2e}"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=["f64", "f32", "bf16"])
@pytest.mark.parametrize("size", [64, 257, 512])
def test_products_of_matrices(device: torch.device, dtype: torch.dtype, size: int) -> None:
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    assert_close(left.to(device) @ right.to(device), left.double() @ right.double())


@pytest.mark.parametrize("length", [1, 1000, 65537])
def test_a_softmax_sums_to_one(device: torch.device, length: int) -> None:
    assert_close(torch.softmax(torch.randn(length, device=device) * 50, 0).sum().reshape(1), torch.ones(1).double())


def test_a_convolution_and_its_gradient(device: torch.device) -> None:
    image, kernel = torch.randn(2, 3, 32, 32), torch.randn(8, 3, 3, 3)
    gradients = []
    for place, dtype in ((device, torch.float32), (torch.device("cpu"), torch.float64)):
        weights = kernel.to(place, dtype, copy=True).requires_grad_()
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            torch.nn.functional.conv2d(image.to(place, dtype), weights).square().sum().backward()
        gradients.append(weights.grad)
    assert_close(gradients[0], gradients[1])


def test_sorting_agrees(device: torch.device) -> None:
    values = torch.randint(0, 1000, (100_000,))
    assert torch.equal(values.to(device).sort(stable=True).indices.cpu(), values.sort(stable=True).indices)
