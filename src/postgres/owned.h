// C++ objects that outlive a call: owned by a memory context, destroyed with it.
#ifndef IMAGE_LIBRARY_POSTGRES_OWNED_H_
#define IMAGE_LIBRARY_POSTGRES_OWNED_H_

#include "postgres/pg.h"

#include <memory>

#include "postgres/bridge.h"

namespace image_library::postgres {

/// A new object of type T that the context destroys when it is reset or deleted.
template <typename T>
T* NewOwned(MemoryContext context) {
  auto object = std::make_unique<T>();
  auto* const callback = static_cast<MemoryContextCallback*>(
      Value([&] { return MemoryContextAllocZero(context, sizeof(MemoryContextCallback)); }));
  callback->func = [](void* owned) { delete static_cast<T*>(owned); };
  callback->arg = object.get();
  MemoryContextRegisterResetCallback(context, callback);
  return object.release();
}

}  // namespace image_library::postgres

#endif
