// What becomes of an embedding after each encoder run, which has just emptied the caches: what
// counts then is how much code and memory is touched. In numpy it is a dozen calls, here two.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace saccade {

// The first of `rows` rows of `n` with a nan or an infinity; -1 where all are finite.
std::ptrdiff_t first_not_finite(const float* values, std::size_t rows, std::size_t n);

// softmax(scale * scores), in place.
void softmax(float* scores, std::size_t n, float scale);

// Scores of an embedding by the rows of some labels, which are the caller's and must outlive it.
class Scorer {
 public:
  // Label i has the rows from starts[i] on, of `dimension` numbers each, up to those of the next.
  // Its score is the largest of their products with the embedding; of these, where `scale` is not
  // 0, softmax(scale * product) over all labels.
  Scorer(const float* rows, std::size_t n_rows, std::size_t dimension,
         std::vector<std::size_t> starts, float scale)
      : rows_(rows), dimension_(dimension), ends_(std::move(starts)), scale_(scale) {
    ends_.push_back(n_rows);
  }

  std::size_t dimension() const { return dimension_; }
  std::size_t labels() const { return ends_.size() - 1; }
  std::size_t size() const { return ends_.back() * dimension_; }  // numbers that a call reads

  // The score of every label, for an embedding that is finite.
  void operator()(const float* embedding, float* scores) const;

 private:
  const float* rows_;
  std::size_t dimension_;
  std::vector<std::size_t> ends_;  // of label i - 1: where label i begins
  float scale_;
};

// The `top` highest scores, or all where there are fewer, with their places: best first, equal ones
// in their order.
std::vector<std::pair<std::uint32_t, float>> best(const float* scores, std::size_t n,
                                                  std::size_t top);

}  // namespace saccade
