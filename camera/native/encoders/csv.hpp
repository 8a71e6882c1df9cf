// Events as text: one line `t,x,y,on` each.
#pragma once
#include "evt.hpp"

namespace saccade {

EncodedBytes encode_csv(const EventView& events);

}  // namespace saccade
