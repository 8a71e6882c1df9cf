#include "runner.hpp"

#include <algorithm>
#include <string>

namespace saccade::cuda {
namespace {

// Room for `wanted` floats: twice what there was, at least, as none is given back before the end.
std::size_t grown(std::size_t room, std::size_t wanted) { return std::max(wanted, 2 * room); }

}  // namespace

Runner::Runner(std::shared_ptr<Device> device) : device_(std::move(device)) {
  vocabulary_ = static_cast<Vocabulary*>(device_->allocate(sizeof(Vocabulary)));
  host_vocabulary_ = static_cast<Vocabulary*>(device_->map(sizeof(Vocabulary)));
  *host_vocabulary_ = Vocabulary();
  tickets_ = static_cast<std::uint32_t*>(device_->allocate(kMaxRows * sizeof(std::uint32_t)));
}

void Runner::set_vocabulary(const float* embeddings, std::uint32_t labels, std::uint32_t dimension,
                            float scale, std::uint32_t top) {
  if (labels == 0 || dimension == 0) throw Error("there is no label to choose from");
  if (top < 1 || top > kMaxTop) {
    throw Error("a device gives from 1 to " + std::to_string(kMaxTop) + " labels, not " +
                std::to_string(top));
  }
  const std::size_t size = std::size_t{labels} * dimension;
  if (size > bank_room_) {
    const std::size_t room = grown(bank_room_, size);
    bank_ = static_cast<float*>(device_->allocate(room * sizeof(float)));
    host_bank_ = static_cast<float*>(device_->map(room * sizeof(float)));
    bank_room_ = room;
  }
  if (std::size_t{kMaxRows} * labels > weights_room_) {
    const std::size_t room = grown(weights_room_, std::size_t{kMaxRows} * labels);
    weights_ = static_cast<float*>(device_->allocate(room * sizeof(float)));
    weights_room_ = room;
  }
  for (std::uint32_t i = 0; i < labels; ++i) {
    for (std::uint32_t d = 0; d < dimension; ++d) {
      host_bank_[std::size_t{d} * labels + i] = embeddings[std::size_t{i} * dimension + d];
    }
  }
  *host_vocabulary_ = {bank_, weights_, tickets_, labels, std::min(top, labels), scale, 0};
  const Stream stream = device_->stream();
  device_->copy(bank_, host_bank_, size * sizeof(float), stream);
  device_->copy(vocabulary_, host_vocabulary_, sizeof(Vocabulary), stream);
  device_->synchronise(stream);
  dimension_ = dimension;
}

void Runner::label(const Embedded& embedded, Stream stream) {
  if (embedded.rows < 1 || embedded.rows > kMaxRows) {
    throw Error("from 1 to " + std::to_string(kMaxRows) + " embeddings are labelled at once");
  }
  if (dimension_ != 0 && embedded.dimension != dimension_) {
    throw Error("the embeddings have " + std::to_string(embedded.dimension) +
                " dimensions, the labels " + std::to_string(dimension_));
  }
  device_->label(vocabulary_, embedded, stream);
}

}  // namespace saccade::cuda
