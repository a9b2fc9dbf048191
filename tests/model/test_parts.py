"""Embeddings, heads and losses, each against a plain computation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lamo_core.model.embeddings import ActionHead, FrameEmbedding, ResidualMlp
from lamo_core.model.losses import decision_loss


def test_residual_mlp_keeps_the_input_beside_its_non_linear_branch() -> None:
    torch.manual_seed(0)
    mlp = ResidualMlp(5)
    u_ND = torch.randn(3, 5)
    plain = u_ND + torch.nn.functional.gelu(u_ND) @ mlp.project.weight.T + mlp.project.bias
    torch.testing.assert_close(mlp(u_ND), plain)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("shifted", [False, True])
def test_windows_are_stacks_of_the_last_four_frames_oldest_first(centred: bool, shifted: bool) -> None:
    torch.manual_seed(0)
    embedding = FrameEmbedding(16, mlp=True)
    if centred:
        embedding.centre(255 * torch.rand(84, 84), 30.0)
    frames_BTHW = torch.randint(0, 256, (2, 7, 84, 84), dtype=torch.uint8)
    shifts_B2 = torch.tensor([[2, -3], [0, 1]]) if shifted else None
    seen: list[torch.Tensor] = []
    embedding.convolutions[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    embedded_BKD = embedding.windows(frames_BTHW, shifts_B2)
    assert embedded_BKD.shape == (2, 4, 16)
    for step in range(4):
        torch.testing.assert_close(
            embedded_BKD[:, step], embedding(frames_BTHW[:, step : step + 4], shifts_B2), atol=1e-6, rtol=1e-5
        )
        assert torch.equal(seen[0].view(2, 4, 4, 84, 84)[:, step], seen[-1])
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_frame_embedding_equals_the_plain_convolutions_on_a_scaled_image() -> None:
    torch.manual_seed(0)
    embedding = FrameEmbedding(16, mlp=False)
    frames = torch.randint(0, 256, (3, 4, 84, 84), dtype=torch.uint8)
    x = frames.float() / 255
    layers = [layer for layer in embedding.convolutions if isinstance(layer, nn.Conv2d)]
    for layer, stride in zip(layers, (4, 2, 1), strict=True):
        x = torch.relu(torch.nn.functional.conv2d(x, layer.weight.contiguous(), layer.bias, stride=stride))
    plain = x.flatten(1) @ embedding.linear.weight.T + embedding.linear.bias
    torch.testing.assert_close(embedding(frames), plain, atol=1e-5, rtol=1e-4)


def test_two_linear_layers_in_a_row_are_those_of_the_published_code() -> None:
    torch.manual_seed(0)
    one, two = FrameEmbedding(16, mlp=True), FrameEmbedding(16, mlp=True, two=True)
    added = set(two.state_dict()) - set(one.state_dict())
    assert added == {"second.weight", "second.bias"}
    assert (two.linear.weight.shape, two.second.weight.shape) == ((16, 3136), (16, 16))
    frames = torch.randint(0, 256, (3, 4, 84, 84), dtype=torch.uint8)
    # its network ends in a linear layer; its residual block makes u by another one, and adds fc2(gelu(u))
    x = two.convolutions(frames.float() / 255).flatten(1)
    u = two.second(two.linear(x))
    torch.testing.assert_close(two(frames), u + two.residual.project(torch.nn.functional.gelu(u)), atol=1e-5, rtol=1e-4)
    # the same function as one layer of both, which learns otherwise
    one.load_state_dict({name: value for name, value in two.state_dict().items() if name not in added})
    with torch.no_grad():
        one.linear.weight.copy_(two.second.weight @ two.linear.weight)
        one.linear.bias.copy_(two.second.weight @ two.linear.bias + two.second.bias)
    torch.testing.assert_close(one(frames), two(frames), atol=1e-5, rtol=1e-4)
    two.centre(torch.zeros(84, 84), 255.0)
    torch.testing.assert_close(two.second.weight @ two.second.weight.T, torch.eye(16), atol=1e-5, rtol=0)


def test_shifted_frames_are_shifted_centred_frames_with_repeated_edges() -> None:
    torch.manual_seed(0)
    embedding = FrameEmbedding(16, mlp=False)
    embedding.centre(255 * torch.rand(84, 84), 30.0)
    frames = torch.randint(0, 256, (2, 4, 84, 84), dtype=torch.uint8)
    shifts = torch.tensor([[2, -3], [0, 1]])

    def moved(pictures: torch.Tensor, down: int, right: int) -> torch.Tensor:
        padded = torch.nn.functional.pad(pictures.float(), (4, 4, 4, 4), mode="replicate")
        return padded[..., 4 + down : 88 + down, 4 + right : 88 + right]

    read = torch.stack([moved(f[None], *shift)[0] for f, shift in zip(frames, shifts.tolist(), strict=True)]).byte()
    centred = (frames - embedding.mean) / embedding.scale
    expected = torch.stack([moved(x[None], *shift)[0] for x, shift in zip(centred, shifts.tolist(), strict=True)])
    seen: list[torch.Tensor] = []
    embedding.convolutions[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    embedding(read, shifts)
    torch.testing.assert_close(seen[0], expected)


def test_tanh_heads_have_the_loss_floor_that_the_published_code_has() -> None:
    head = ActionHead(8, 4, mlp=False, tanh=True)
    out = head(1e6 * torch.randn(64, 8))
    assert out.abs().max() <= 1
    best = torch.tensor([[1.0, -1.0, -1.0, -1.0]])
    floor = torch.nn.functional.cross_entropy(best, torch.tensor([0]))
    assert math.isclose(float(floor), 0.341, abs_tol=1e-3)


def test_padding_never_changes_a_loss() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    values = torch.randn(2, 3, 4)
    kinds = ((torch.randint(0, 4, (2, 3)), values), (torch.randn(2, 3, 4), values), (values, torch.randn(2, 3, 4, 256)))
    for actions, predicted in kinds:
        spoiled_predicted, spoiled_actions = predicted.clone(), actions.clone()
        spoiled_predicted[~mask] = float("nan")
        predicted, spoiled_predicted = predicted.clone().requires_grad_(), spoiled_predicted.requires_grad_()
        spoiled_actions[~mask] = -7 if actions.ndim == 2 else float("nan")
        clean, spoiled = (
            decision_loss(read, chosen, mask)
            for read, chosen in ((predicted, actions), (spoiled_predicted, spoiled_actions))
        )
        assert int(clean.count) == 3
        assert torch.equal(clean.total, spoiled.total)
        clean.total.backward()
        spoiled.total.backward()
        assert predicted.grad is not None
        assert spoiled_predicted.grad is not None
        assert torch.equal(predicted.grad, spoiled_predicted.grad)
        assert not predicted.grad[~mask].any()


def test_losses_are_the_textbook_ones() -> None:
    torch.manual_seed(0)
    mask = torch.ones(1, 2, dtype=torch.bool)
    logits, chosen = torch.randn(1, 2, 4), torch.tensor([[2, 0]])
    plain = -sum(float(torch.log_softmax(logits[0, t], -1)[chosen[0, t]]) for t in range(2))
    assert math.isclose(float(decision_loss(logits, chosen, mask).total), plain, rel_tol=1e-5)
    means, wanted = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    plain = sum(float(((means[0, t] - wanted[0, t]) ** 2).mean()) for t in range(2))
    assert math.isclose(float(decision_loss(means, wanted, mask).total), plain, rel_tol=1e-5)


def test_centred_frames_let_states_differ() -> None:
    torch.manual_seed(0)
    # a bright still picture with one small thing that moves, as in most games
    frames = torch.full((32, 4, 84, 84), 90, dtype=torch.uint8)
    for i in range(32):
        frames[i, :, 40:44, i * 2 : i * 2 + 4] = 250

    def share(embedding: FrameEmbedding) -> float:
        u_ND = embedding(frames).detach()
        return float((u_ND - u_ND.mean(0)).square().sum() / u_ND.square().sum())

    plain, centred = FrameEmbedding(64, mlp=True), FrameEmbedding(64, mlp=True)
    pixels = frames.float().flatten(0, 1)
    centred.centre(pixels.mean(0), float(pixels.var(0).mean().sqrt()))
    assert share(plain) < 0.01
    assert share(centred) > 0.2
