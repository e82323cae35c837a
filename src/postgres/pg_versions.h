// Where the versions of PostgreSQL that we build for differ: the only place that asks for the
// version. What a newer version has, older ones get here under the same name. Part of pg.h.
#ifndef IMAGE_LIBRARY_POSTGRES_PG_VERSIONS_H_
#define IMAGE_LIBRARY_POSTGRES_PG_VERSIONS_H_

#if PG_VERSION_NUM < 150000
#error "image_library needs PostgreSQL 15 or later"
#endif

// The parameter that ExecutorRun and its hook had until 18.
#if PG_VERSION_NUM >= 180000
#define IMAGE_LIBRARY_ONCE
#define IMAGE_LIBRARY_PASS_ONCE
#else
#define IMAGE_LIBRARY_ONCE , bool once
#define IMAGE_LIBRARY_PASS_ONCE , once
#endif

#if PG_VERSION_NUM < 170000
#define LockHeldByMe(tag, mode, or_stronger) LockHeldByMe(tag, mode)

// Before 17 the wait events of extensions have no names.
inline uint32 WaitEventExtensionNew(const char* /*name*/) { return PG_WAIT_EXTENSION; }
#endif

namespace image_library::postgres {

/// A set that lives until FreeWaitEventSet: of no resource owner, or in memory that stays.
inline WaitEventSet* NewWaitEventSet(int events) {
#if PG_VERSION_NUM >= 170000
  return CreateWaitEventSet(nullptr, events);
#else
  return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

// Walkers of trees as a parameter, and the lists of locks in PGPROC, changed in 16. ForEachLock is
// for lists that are not IsEmpty.
#if PG_VERSION_NUM >= 160000
template <typename Visit>
void ForEachLock(dlist_head* list, Visit visit) {
  // dlist_foreach is no C++.
  for (dlist_node* at = list->head.next; at != &list->head; at = at->next)
    visit(reinterpret_cast<PROCLOCK*>(reinterpret_cast<char*>(at) - offsetof(PROCLOCK, procLink)));
}
inline bool IsEmpty(const dlist_head* list) { return dlist_is_empty(list); }
inline auto TreeWalker(bool (*walk)(Node*, void*)) { return walk; }
#else
template <typename Visit>
void ForEachLock(SHM_QUEUE* list, Visit visit) {
  void* at = list;
  while ((at = SHMQueueNext(list, static_cast<SHM_QUEUE*>(at), offsetof(PROCLOCK, procLink))) !=
         nullptr) {
    auto* const lock = static_cast<PROCLOCK*>(at);
    visit(lock);
    at = &lock->procLink;
  }
}
inline bool IsEmpty(const SHM_QUEUE* list) { return SHMQueueEmpty(list); }
inline auto TreeWalker(bool (*walk)(Node*, void*)) {
  return reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walk));
}
#endif

}  // namespace image_library::postgres

#endif
