// Whose policy runs.
#ifndef IMAGE_LIBRARY_POSTGRES_POLICY_FUNCTION_H_
#define IMAGE_LIBRARY_POSTGRES_POLICY_FUNCTION_H_

#include "postgres/pg.h"

namespace image_library::postgres {

/// The owner of the innermost policy that runs now; InvalidOid: none does.
Oid PolicyOwner() noexcept;

}  // namespace image_library::postgres

#endif
