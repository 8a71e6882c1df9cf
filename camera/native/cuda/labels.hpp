// Embeddings to their best labels: products with a bank, softmax, and the largest, in one kernel.
#pragma once
#include "block.hpp"

namespace saccade::cuda {

constexpr std::uint32_t kMaxTop = 32;      // labels that one embedding can get
constexpr std::uint32_t kLabelBlocks = 8;  // that share the labels of one embedding
constexpr std::uint32_t kNoLabel = ~0u;

// The words, as they lie in the device's memory: a CUDA graph needs no new parameters where they
// change. Without a label the kernel does nothing.
struct Vocabulary {
  const float* embeddings = nullptr;  // [dimension][labels]: neighbouring threads, their labels
  float* weights = nullptr;           // [rows][labels]: room for the kernel's own use
  std::uint32_t* tickets = nullptr;   // [rows]: blocks of a row that are done, 0 between launches
  std::uint32_t labels = 0, top = 0;
  float scale = 0;
  std::uint32_t unused = 0;
};

// What one engine gives, at fixed addresses of the device.
struct Embedded {
  const void* embeddings = nullptr;  // [rows][dimension], fp16 or fp32
  std::uint32_t rows = 0, dimension = 0, half = 0;
  std::uint32_t* indices = nullptr;  // [rows][kMaxTop], the best first
  float* scores = nullptr;           // [rows][kMaxTop]: softmax over all labels
};

struct Best {
  float weight;
  std::uint32_t label;

  // The order of results: the larger weight first, of equal ones the lower label. Weights that are
  // no numbers come last, and after them no label at all.
  SACCADE_HD bool before(const Best& other) const {
    if (label == kNoLabel || other.label == kNoLabel) return other.label == kNoLabel;
    if (weight > other.weight) return true;
    if (weight < other.weight) return false;
    const bool number = weight == weight, others = other.weight == other.weight;
    return number == others ? label < other.label : number;
  }
};

struct Labelling {
  float partial[kThreads];
  Best best[kThreads];
  Best previous;
  std::uint32_t last;  // this block is the last one of its row
};

// Element i of an embedding.
SACCADE_HD float element(const Embedded& e, std::uint64_t i) {
  return e.half != 0 ? half_value(static_cast<const std::uint16_t*>(e.embeddings)[i])
                     : static_cast<const float*>(e.embeddings)[i];
}

// scale * product of a row with each of a block's labels. A warp takes 32 labels, the warps of a
// block share the dimensions.
template <typename Block>
SACCADE_KERNEL void multiply(Block& block, Labelling& shared, const Vocabulary& words,
                             const Embedded& e, std::uint32_t row, std::uint32_t part) {
  const std::uint32_t lanes = least(block.threads, 32u), slices = block.threads / lanes;
  const std::uint64_t from = std::uint64_t{row} * e.dimension;
  float* const out = words.weights + std::uint64_t{row} * words.labels;
  for (std::uint32_t first = part * lanes; first < words.labels; first += kLabelBlocks * lanes) {
    block.each([&](std::uint32_t t) {
      const std::uint32_t label = first + t % lanes, slice = t / lanes;
      float sum = 0;
      if (label < words.labels && slice < slices) {
        for (std::uint32_t d = slice; d < e.dimension; d += slices) {
          sum += element(e, from + d) * words.embeddings[std::uint64_t{d} * words.labels + label];
        }
      }
      shared.partial[t] = sum;
    });
    block.each([&](std::uint32_t t) {
      if (t >= lanes || first + t >= words.labels) return;
      float sum = 0;
      for (std::uint32_t s = 0; s < slices; ++s) sum += shared.partial[s * lanes + t];
      out[first + t] = words.scale * sum;
    });
  }
}

// `shared.best[0]` becomes the first of all threads' in the order of results.
template <typename Block>
SACCADE_KERNEL void choose_best(Block& block, Labelling& shared) {
  for (std::uint32_t d = 1; d < block.threads; d *= 2) {
    block.each([&](std::uint32_t t) {
      if (t % (2 * d) == 0 && t + d < block.threads && shared.best[t + d].before(shared.best[t])) {
        shared.best[t] = shared.best[t + d];
      }
    });
  }
}

// The row's products, which other blocks wrote, become weights exp(product - largest) and their
// sum.
template <typename Block>
SACCADE_KERNEL void soften(Block& block, Labelling& shared, const Vocabulary& words,
                           float* weights) {
  block.each([&](std::uint32_t t) {
    Best own = {0, kNoLabel};
    for (std::uint32_t i = t; i < words.labels; i += block.threads) {
      const std::uint32_t bits = fresh(reinterpret_cast<const std::uint32_t*>(weights) + i);
      float value;
      memcpy(&value, &bits, 4);
      weights[i] = value;
      const Best found = {value, i};
      if (found.before(own)) own = found;
    }
    shared.best[t] = own;
  });
  choose_best(block, shared);
  block.each([&](std::uint32_t t) {
    const float top = shared.best[0].weight;
    float sum = 0;
    for (std::uint32_t i = t; i < words.labels; i += block.threads) {
      weights[i] = expf(weights[i] - top);
      sum += weights[i];
    }
    shared.partial[t] = sum;
  });
  for (std::uint32_t d = 1; d < block.threads; d *= 2) {
    block.each([&](std::uint32_t t) {
      if (t % (2 * d) == 0 && t + d < block.threads) shared.partial[t] += shared.partial[t + d];
    });
  }
}

// The `top` best of a row, one after the other: each is the first behind the one before.
template <typename Block>
SACCADE_KERNEL void select(Block& block, Labelling& shared, const Vocabulary& words,
                           const float* weights, std::uint32_t* indices, float* scores) {
  for (std::uint32_t k = 0; k < words.top; ++k) {
    block.each([&](std::uint32_t t) {
      Best own = {0, kNoLabel};
      for (std::uint32_t i = t; i < words.labels; i += block.threads) {
        const Best found = {weights[i], i};
        if (k != 0 && !shared.previous.before(found)) continue;
        if (found.before(own)) own = found;
      }
      shared.best[t] = own;
    });
    choose_best(block, shared);
    block.each([&](std::uint32_t t) {
      if (t != 0) return;
      shared.previous = shared.best[0];
      indices[k] = shared.previous.label;
      scores[k] = shared.previous.weight / shared.partial[0];
    });
  }
}

// kLabelBlocks blocks for each row; the last one that is done with its products does the rest.
template <typename Block>
SACCADE_KERNEL void label(Block& block, Labelling& shared, const Vocabulary& words,
                          const Embedded& e) {
  if (words.labels == 0) return;
  const std::uint32_t row = block.index / kLabelBlocks, part = block.index % kLabelBlocks;
  multiply(block, shared, words, e, row, part);
  block.each([&](std::uint32_t) { fence(); });
  block.each([&](std::uint32_t t) {
    if (t != 0) return;
    shared.last = atomic_add(&words.tickets[row], 1) + 1 == kLabelBlocks;
    if (shared.last != 0) words.tickets[row] = 0;
  });
  if (shared.last == 0) return;
  float* const weights = words.weights + std::uint64_t{row} * words.labels;
  soften(block, shared, words, weights);
  select(block, shared, words, weights, e.indices + row * kMaxTop, e.scores + row * kMaxTop);
}

}  // namespace saccade::cuda
