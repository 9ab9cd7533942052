"""Adds two 2-digit numbers, lowest digit first: `= 8 3 + 5 4 =` goes on with `3 8 0`. Every weight is set by hand."""

import random

import torch
from torch import nn

PLUS, EQUALS = 10, 11  # tokens 0 to 9 are the digits
DIGIT, SQUARE, HERE, BEFORE = range(4)  # dimensions of the residual stream
SHARP = 10.0


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 4)
        self.v = nn.Linear(4, 1, bias=False)
        self.o = nn.Linear(2, 4, bias=False)
        self.up = nn.Linear(4, 8)
        self.down = nn.Linear(8, 4, bias=False)
        self.head = nn.Linear(4, 12, bias=False)
        self.head.weight = self.embed.weight
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        with torch.no_grad():
            digit = 0.1 * torch.arange(10)
            self.embed.weight[:10, DIGIT] = digit
            self.embed.weight[:10, SQUARE] = -(digit**2) / 2
            self.embed.weight[10:, SQUARE] = -1
            self.v.weight[0, DIGIT] = 2  # the mean of two keys, doubled, is their sum
            self.o.weight[HERE, 0] = 1
            self.o.weight[BEFORE, 1] = 1
            self.up.weight[0, HERE] = 1
            for i in range(2):
                self.up.weight[1 + i] = torch.tensor([-10.0, 0, 0, 10])  # did the place before carry?
                self.up.bias[1 + i] = -8 - i
                self.up.weight[3 + i] = torch.tensor([-10.0, 0, 100, 10])  # is it 10 or more here?
                self.up.bias[3 + i] = -98 - i
            self.up.weight[5, DIGIT] = 1
            self.up.weight[6, SQUARE] = -1
            self.up.bias[7] = 1
            self.down.weight[DIGIT] = torch.tensor([1, 0.1, -0.1, -1, 1, -1, 0, 0])
            self.down.weight[SQUARE, 6:] = 1

    def forward(self, tokens):  # [time] to logits [time, 12]
        x = self.embed(tokens)
        position = torch.arange(len(tokens))
        back = position[:, None] - position  # how far back a key lies
        scores = -SHARP * torch.stack([((back - n - 5) * (back - n - 2)) ** 2 for n in range(2)])
        scores = scores.masked_fill(back < 0, -torch.inf)
        heads = scores.softmax(-1) @ self.v(x)  # [2, time, 1]: this place, and the place before
        x = x + self.o(torch.cat([heads[0], heads[1]], -1))
        x = x + self.down(torch.relu(self.up(x)))
        return self.head(x)


def add(model, a, b):
    tokens = [EQUALS, a % 10, a // 10, PLUS, b % 10, b // 10, EQUALS]
    for _ in range(3):
        tokens.append(int(model(torch.tensor(tokens))[-1].argmax()))
    return sum(digit * 10**place for place, digit in enumerate(tokens[-3:]))


if __name__ == "__main__":
    adder = Adder()
    pairs = [(random.randrange(100), random.randrange(100)) for _ in range(500)]
    print(sum(add(adder, a, b) == a + b for a, b in pairs), "of 500 right")
    print(sum(int((p != 0).sum()) for p in adder.parameters()), "parameters that are not zero")
