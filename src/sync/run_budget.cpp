#include "sync/run_budget.h"

namespace image_library::sync {

bool RunBudget::HalfIsUsed() const {
  return (limits_.budget() && limits_.sent() >= *limits_.budget() / 2) ||
         deadline_.IsMoreThanHalf(deadline_.elapsed());
}

bool RunBudget::TookMoreThanHalf(const Mark& since) const {
  return (limits_.budget() && (limits_.sent() - since.requests) * 2 > *limits_.budget()) ||
         deadline_.IsMoreThanHalf(deadline_.elapsed() - since.time);
}

}  // namespace image_library::sync
