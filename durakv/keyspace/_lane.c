/* The lane: a plain SET from its arguments to its place in the log and in the keyspace, in one call.
 *
 *     put(key, value, level)      what Runner.write does of a batch of one SET that meets nobody
 *     append(key, value, level)   what Runner.submit does of it
 *
 * There is no second copy of any state.  The objects that the write path is written with in Python (the runner, the
 * commit pipeline, its segment, the keyspace) hold their attributes in slots, and this reads and changes them where
 * they stand.  It runs only while nobody holds the runner's lock, and the interpreter lock is not given up between the
 * first question and the last change, so it is as if the runner's lock had been held meanwhile.  (Whoever waits for
 * that lock may have been given it, but has not run yet, and begins after this.)  Only the durable write lets others
 * run; both roles are taken then, as by any claimed work.
 *
 * Whatever is not plain is left to Python: the answer is None and nothing was changed.  So nothing here has a limit or
 * a message of its own, and no promise depends on its being there.  What may fail is done before anything is changed.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <structmember.h>
#include <sys/uio.h>
#include <time.h>

#include "../../formats/durakv_formats/_layout.h"

#define SHAPE 1 /* see lane.py */

static const char set_head[] = "*3\r\n$3\r\nSET\r\n";
#define COMMON_BYTES_MAX 2048 /* of a payload whose frame is made without asking for memory */
#define SET_HEAD_BYTES ((Py_ssize_t)sizeof set_head - 1)

/* The slots that are read or changed: of which class, and which. */
#define RUNNER_SLOTS(X) X(runner, _closed) X(runner, _waiters) X(runner, _encode)
#define COMMIT_SLOTS(X)                                                                                              \
    X(commit, segment) X(commit, policy) X(commit, default_level) X(commit, poison) X(commit, writing)               \
    X(commit, syncing) X(commit, rotation_wanted) X(commit, applied_seq) X(commit, written_seq)                      \
    X(commit, synced_seq) X(commit, logged_bytes) X(commit, written_bytes) X(commit, synced_bytes)                   \
    X(commit, writes) X(commit, syncs) X(commit, sync_started) X(commit, _identity) X(commit, _pending)              \
    X(commit, _unsynced_since) X(commit, _syncing_since)
#define SEGMENT_SLOTS(X)                                                                                             \
    X(segment, file) X(segment, window) X(segment, number) X(segment, capacity) X(segment, offset)                   \
    X(segment, reserved)
#define KEYSPACE_SLOTS(X) X(keyspace, _store) X(keyspace, _unsettled)
#define STORE_SLOTS(X) X(store, slots) X(store, deadlines) X(store, mask)
#define FILE_SLOTS(X) X(file, _descriptor) X(file, _dsync)
#define SLOTS(X) RUNNER_SLOTS(X) COMMIT_SLOTS(X) SEGMENT_SLOTS(X) KEYSPACE_SLOTS(X) STORE_SLOTS(X) FILE_SLOTS(X)

typedef struct {
    PyObject_HEAD
    PyObject *runner, *commit, *keyspace, *store;
    PyTypeObject *segment, *file;
    PyObject *locked, *acquire, *release; /* bound methods of the runner's lock */
    PyObject *take_over;           /* called with the runner and what is left of a durable write */
    PyObject *encode;              /* what a runner encodes with unless a machine has to be asked first */
    PyObject *always, *everysec;   /* policies */
    PyObject *written, *synced;    /* levels */
    double sync_age, stall;        /* seconds */
    int64_t pending_max;           /* bytes */
#define OFFSET(owner, name) Py_ssize_t owner##name##_at;
    SLOTS(OFFSET)
#undef OFFSET
} Lane;

#define SLOT(lane, object, owner, name) (*(PyObject **)((char *)(object) + (lane)->owner##name##_at))
#define RUNNER(name) SLOT(lane, lane->runner, runner, name)
#define COMMIT(name) SLOT(lane, lane->commit, commit, name)
#define SEGMENT(name) SLOT(lane, segment, segment, name)

/* What an attempt knows once it was found plain. */
typedef struct {
    PyObject *segment;
    int64_t seq, synced_seq, start, end, logged;
    uint64_t identity, number;
    Py_ssize_t payload;
} Attempt;

/* --- reading and changing slots ----------------------------------------------------------------------------------- */

static int get_unsigned(PyObject *object, uint64_t *number)
{
    if (object == NULL || !PyLong_CheckExact(object))
        return 0;
    *number = PyLong_AsUnsignedLongLong(object);
    if (*number == (uint64_t)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return 1;
}

/* A number that is not negative, and may be added to without fear. */
static int get_number(PyObject *object, int64_t *number)
{
    uint64_t wide;
    if (!get_unsigned(object, &wide) || wide > INT64_MAX / 2)
        return 0;
    *number = (int64_t)wide;
    return 1;
}

/* A number up to 256 is never made, so this cannot fail; EIO (5) for any that is not one of them. */
static PyObject *small_number(int number)
{
    PyObject *object = PyLong_FromLong(number >= -1 && number <= 256 ? number : EIO);
    assert(object != NULL);
    return object;
}

/* Nothing that stood in these slots runs code when it goes: numbers, None, True and False. */
static void change(PyObject **slot, PyObject *stolen)
{
    PyObject *old = *slot;
    *slot = stolen;
    Py_XDECREF(old);
}

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec) / 1e9; /* as time.monotonic() */
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

/* Whether nobody is in the midst of anything: 1 or 0, or -1 with an exception. */
static int is_free(Lane *lane)
{
    if (RUNNER(_closed) != Py_False || RUNNER(_encode) != lane->encode || COMMIT(poison) != Py_None ||
        SLOT(lane, lane->keyspace, keyspace, _store) != lane->store)
        return 0;
    PyObject *unsettled = SLOT(lane, lane->keyspace, keyspace, _unsettled);
    int64_t count;
    if (!get_number(unsettled, &count) || count != 0)
        return 0;
    PyObject *locked = PyObject_CallNoArgs(lane->locked);
    if (locked == NULL)
        return -1;
    int held = locked != Py_False;
    Py_DECREF(locked);
    return !held;
}

/* Whether somebody waits for the writes of others, and may have to be woken. */
static int has_waiters(Lane *lane)
{
    PyObject *waiters = RUNNER(_waiters);
    return waiters == NULL || !PyList_CheckExact(waiters) || PyList_GET_SIZE(waiters) != 0;
}

/* The dictionary that the key's value goes to, or NULL; also where a key has a deadline, which a SET drops. */
static PyObject *find_slot(Lane *lane, PyObject *key)
{
    PyObject *slots = SLOT(lane, lane->store, store, slots), *deadlines = SLOT(lane, lane->store, store, deadlines);
    int64_t mask;
    if (slots == NULL || !PyList_CheckExact(slots) || !get_number(SLOT(lane, lane->store, store, mask), &mask))
        return NULL;
    Py_ssize_t slot = slot_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) & (Py_ssize_t)mask;
    if (slot >= PyList_GET_SIZE(slots) || !PyDict_CheckExact(PyList_GET_ITEM(slots, slot)))
        return NULL;
    if (deadlines != Py_None) {
        if (deadlines == NULL || !PyList_CheckExact(deadlines) || slot >= PyList_GET_SIZE(deadlines))
            return NULL;
        PyObject *held = PyList_GET_ITEM(deadlines, slot);
        if (!PyDict_CheckExact(held) || (PyDict_GET_SIZE(held) != 0 && PyDict_Contains(held, key) != 0)) {
            PyErr_Clear();
            return NULL;
        }
    }
    return PyList_GET_ITEM(slots, slot);
}

/* Whether the arguments are plain and the segment has room; the numbers of the frame if so. */
static int prepare(Lane *lane, PyObject *key, PyObject *value, Attempt *attempt)
{
    if (!PyBytes_CheckExact(key) || !PyBytes_CheckExact(value))
        return 0;
    Py_ssize_t key_bytes = PyBytes_GET_SIZE(key), value_bytes = PyBytes_GET_SIZE(value);
    if (key_bytes > PLAIN_BYTES_MAX || value_bytes > PLAIN_BYTES_MAX)
        return 0;
    attempt->payload = SET_HEAD_BYTES + 10 + decimal_digits((size_t)key_bytes) + key_bytes +
                       decimal_digits((size_t)value_bytes) + value_bytes;
    PyObject *segment = attempt->segment = COMMIT(segment);
    int64_t capacity, applied;
    if (attempt->payload > PLAIN_BYTES_MAX || segment == NULL || Py_TYPE(segment) != lane->segment ||
        !get_number(SEGMENT(reserved), &attempt->start) || !get_number(SEGMENT(capacity), &capacity) ||
        !get_unsigned(SEGMENT(number), &attempt->number) || attempt->number > UINT32_MAX ||
        !get_number(COMMIT(applied_seq), &applied) || !get_number(COMMIT(synced_seq), &attempt->synced_seq) ||
        !get_unsigned(COMMIT(_identity), &attempt->identity) || !get_number(COMMIT(logged_bytes), &attempt->logged))
        return 0;
    attempt->seq = applied + 1;
    attempt->end = attempt->start + HEADER_BYTES + attempt->payload;
    attempt->logged += HEADER_BYTES + attempt->payload;
    return attempt->end <= capacity && attempt->synced_seq <= applied;
}

/* Whether everything that has a place in the segment is there already, and nothing is on its way. */
static int is_alone(Lane *lane, const Attempt *attempt)
{
    PyObject *segment = attempt->segment;
    int64_t offset;
    return get_number(SEGMENT(offset), &offset) && offset == attempt->start && COMMIT(writing) == Py_False &&
           COMMIT(syncing) == Py_False;
}

/* How long the oldest unsynced write waits; 0 if there is none, and -1 if it cannot be told. */
static double unsynced_age(Lane *lane, double now)
{
    PyObject *since = COMMIT(_unsynced_since);
    if (since == Py_None)
        return 0;
    return since != NULL && PyFloat_CheckExact(since) ? now - PyFloat_AS_DOUBLE(since) : -1;
}

static void put_frame(char *frame, const Attempt *attempt, PyObject *key, PyObject *value)
{
    char *payload = frame + HEADER_BYTES;
    memcpy(payload, set_head, (size_t)SET_HEAD_BYTES);
    char *to = put_word(payload + SET_HEAD_BYTES, PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key));
    put_word(to, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    put_header(payload, (uint64_t)attempt->seq, 1, (uint64_t)attempt->payload, (uint64_t)attempt->synced_seq,
               attempt->identity, attempt->number);
}

/* --- three ways --------------------------------------------------------------------------------------------------- */

/* Each returns 1 if it did it, 0 if nothing was changed and Python has to, and -1 with an exception. */

#define NUMBERS 4

static int make_numbers(PyObject *made[NUMBERS], const int64_t from[NUMBERS])
{
    int count = 0;
    while (count < NUMBERS && (made[count] = PyLong_FromLongLong(from[count])) != NULL)
        count++;
    if (count == NUMBERS)
        return 1;
    while (count > 0)
        Py_DECREF(made[--count]);
    return 0;
}

static void drop_numbers(PyObject *made[NUMBERS])
{
    for (int at = 0; at < NUMBERS; at++)
        Py_DECREF(made[at]);
}

/* Through the segment's window: the frame is in the page cache when this returns. */
static int store(Lane *lane, PyObject *key, PyObject *value)
{
    Attempt attempt;
    if (!prepare(lane, key, value, &attempt) || !is_alone(lane, &attempt))
        return 0;
    PyObject *segment = attempt.segment, *dictionary, *since = COMMIT(_unsynced_since), *begun = NULL;
    int64_t writes;
    if (COMMIT(policy) == lane->always || SEGMENT(window) == NULL || !PyObject_CheckBuffer(SEGMENT(window)) ||
        !get_number(COMMIT(writes), &writes))
        return 0;
    if (since == Py_None || COMMIT(policy) == lane->everysec) {
        double now = monotonic(), age = unsynced_age(lane, now);
        if (age < 0 || (age >= lane->sync_age && COMMIT(policy) == lane->everysec))
            return 0;
        if (since == Py_None && (begun = PyFloat_FromDouble(now)) == NULL)
            return -1;
    }
    Py_buffer view = {0};
    PyObject *made[NUMBERS];
    char common[HEADER_BYTES + COMMON_BYTES_MAX], *frame = common;
    int done = 0;
    if ((dictionary = find_slot(lane, key)) == NULL)
        goto nothing;
    if (attempt.payload > COMMON_BYTES_MAX && (frame = PyMem_Malloc(HEADER_BYTES + (size_t)attempt.payload)) == NULL) {
        PyErr_NoMemory();
        done = -1;
        goto nothing;
    }
    if (PyObject_GetBuffer(SEGMENT(window), &view, PyBUF_WRITABLE) < 0) {
        PyErr_Clear(); /* closed: what that means is said by the other way */
        goto nothing;
    }
    if (view.len < attempt.end)
        goto nothing;
    const int64_t numbers[NUMBERS] = {attempt.seq, attempt.end, attempt.logged, writes + 1};
    if (!make_numbers(made, numbers)) {
        done = -1;
        goto nothing;
    }
    if (PyDict_SetItem(dictionary, key, value) < 0) {
        drop_numbers(made);
        done = -1;
        goto nothing;
    }
    put_frame(frame, &attempt, key, value);
    memcpy((char *)view.buf + attempt.start, frame, (size_t)(attempt.end - attempt.start));
    PyBuffer_Release(&view);
    change(&COMMIT(applied_seq), Py_NewRef(made[0]));
    change(&COMMIT(written_seq), made[0]);
    change(&SEGMENT(reserved), Py_NewRef(made[1]));
    change(&SEGMENT(offset), made[1]);
    change(&COMMIT(logged_bytes), Py_NewRef(made[2]));
    change(&COMMIT(written_bytes), made[2]);
    change(&COMMIT(writes), made[3]);
    if (begun != NULL)
        change(&COMMIT(_unsynced_since), begun);
    if (frame != common)
        PyMem_Free(frame);
    return 1;
nothing:
    if (frame != common)
        PyMem_Free(frame);
    if (view.obj != NULL)
        PyBuffer_Release(&view);
    Py_XDECREF(begun);
    return done;
}

/* Whether the durable write may be made here, and into which descriptor. */
static int find_descriptor(Lane *lane, PyObject *segment)
{
#ifdef RWF_DSYNC
    PyObject *file = SEGMENT(file);
    int64_t descriptor;
    if (file == NULL || Py_TYPE(file) != lane->file || SLOT(lane, file, file, _dsync) != Py_True ||
        !get_number(SLOT(lane, file, file, _descriptor), &descriptor) || descriptor > INT_MAX)
        return -1;
    return (int)descriptor;
#else
    (void)lane, (void)segment;
    return -1;
#endif
}

/* What Commit.finish does of a durable write that went well; 0 if that has to be asked. */
static int finish(Lane *lane, const Attempt *attempt)
{
    PyObject *segment = attempt->segment;
    int64_t writes, syncs, applied;
    if (COMMIT(poison) != Py_None || COMMIT(segment) != segment || !get_number(COMMIT(writes), &writes) ||
        !get_number(COMMIT(syncs), &syncs) || !get_number(COMMIT(applied_seq), &applied))
        return 0;
    PyObject *made[NUMBERS], *extra = PyLong_FromLongLong(syncs + 1);
    const int64_t numbers[NUMBERS] = {attempt->seq, attempt->end, attempt->logged, writes + 1};
    if (extra == NULL || !make_numbers(made, numbers)) {
        Py_XDECREF(extra);
        PyErr_Clear();
        return 0;
    }
    change(&COMMIT(writing), Py_NewRef(Py_False));
    change(&COMMIT(syncing), Py_NewRef(Py_False));
    change(&COMMIT(written_seq), Py_NewRef(made[0]));
    change(&COMMIT(synced_seq), made[0]);
    change(&SEGMENT(offset), made[1]);
    change(&COMMIT(written_bytes), Py_NewRef(made[2]));
    change(&COMMIT(synced_bytes), made[2]);
    change(&COMMIT(writes), made[3]);
    change(&COMMIT(syncs), extra);
    change(&COMMIT(_syncing_since), Py_NewRef(Py_None));
    if (applied == attempt->seq)
        change(&COMMIT(_unsynced_since), Py_NewRef(Py_None));
    return 1;
}

/* Keep the first exception; the others of one interruption say the same. */
static void keep_exception(PyObject *kept[3])
{
    if (kept[0] == NULL)
        PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    else
        PyErr_Clear();
}

static void call(PyObject *answer, PyObject *kept[3])
{
    if (answer == NULL)
        keep_exception(kept);
    Py_XDECREF(answer);
}

/* Bring a claimed durable write to its end under the runner's lock, where somebody waits or something failed: 1, or -1
 * with an exception.
 *
 * Signals that came during the call, or come while the lock is waited for, are answered first, and what a handler
 * raises is raised afterwards.  If one raises in the midst of what is done in Python, how far that got is not known,
 * and the log is poisoned; the roles are given back in any case. */
static int end_claim(Lane *lane, const Attempt *attempt, PyObject *told)
{
    PyObject *kept[3] = {NULL, NULL, NULL}, *locked;
    while ((locked = PyObject_CallNoArgs(lane->acquire)) == NULL)
        keep_exception(kept);
    Py_DECREF(locked);
    if (PyErr_CheckSignals() < 0)
        keep_exception(kept);
    int well = PyLong_AsLong(PyTuple_GET_ITEM(told, 4)) == -1;
    if (!well || !finish(lane, attempt)) {
        PyObject *answer = PyObject_CallFunctionObjArgs(lane->take_over, lane->runner, told, NULL);
        int raised = answer == NULL;
        call(answer, kept);
        if (raised && COMMIT(poison) == Py_None && COMMIT(writing) == Py_True) {
            PyErr_NormalizeException(&kept[0], &kept[1], &kept[2]);
            change(&COMMIT(poison), Py_NewRef(kept[1]));
            change(&COMMIT(writing), Py_NewRef(Py_False));
            change(&COMMIT(syncing), Py_NewRef(Py_False));
        }
    }
    if (has_waiters(lane))
        call(PyObject_CallMethod(lane->runner, "_wake", NULL), kept);
    call(PyObject_CallNoArgs(lane->release), kept);
    if (kept[0] == NULL)
        return 1;
    PyErr_Restore(kept[0], kept[1], kept[2]);
    return -1;
}

/* By a durable write of its own: 1 once it is on disk and finished.  If Python has to finish it, `told` is what it is
 * given: seq, frame, offset, logged bytes, error; where the error is -1 if all was written, 0 if the call has to be made
 * again, and else what it failed with. */
static int write_through(Lane *lane, PyObject *key, PyObject *value, PyObject *told)
{
    Attempt attempt;
    if (!prepare(lane, key, value, &attempt) || !is_alone(lane, &attempt) ||
        attempt.synced_seq != attempt.seq - 1 || COMMIT(rotation_wanted) != Py_False)
        return 0;
    int descriptor = find_descriptor(lane, attempt.segment);
    PyObject *dictionary = find_slot(lane, key);
    if (descriptor < 0 || dictionary == NULL)
        return 0;
    Py_ssize_t size = HEADER_BYTES + attempt.payload;
    double now = monotonic();
    PyObject *frame = PyBytes_FromStringAndSize(NULL, size), *began = PyFloat_FromDouble(now), *made[NUMBERS];
    const int64_t numbers[NUMBERS] = {attempt.seq, attempt.end, attempt.logged, attempt.start};
    if (frame == NULL || began == NULL || !make_numbers(made, numbers))
        goto failed;
    if (PyDict_SetItem(dictionary, key, value) < 0) {
        drop_numbers(made);
        goto failed;
    }
    PyObject *segment = Py_NewRef(attempt.segment);
    put_frame(PyBytes_AS_STRING(frame), &attempt, key, value);
    change(&COMMIT(applied_seq), Py_NewRef(made[0]));
    change(&SEGMENT(reserved), made[1]);
    change(&COMMIT(logged_bytes), Py_NewRef(made[2]));
    change(&COMMIT(writing), Py_NewRef(Py_True));
    change(&COMMIT(syncing), Py_NewRef(Py_True));
    change(&COMMIT(sync_started), Py_NewRef(began));
    change(&COMMIT(_syncing_since), began);

    ssize_t written = -1;
    int failure = 0;
#ifdef RWF_DSYNC
    struct iovec piece = {PyBytes_AS_STRING(frame), (size_t)size};
    Py_BEGIN_ALLOW_THREADS
    written = pwritev2(descriptor, &piece, 1, attempt.start, RWF_DSYNC);
    failure = written < 0 ? errno : 0;
    Py_END_ALLOW_THREADS
#endif
    int done = 0;
    if (written == size && !has_waiters(lane)) {
        int nobody_came = is_free(lane);
        if (nobody_came < 0)
            PyErr_Clear();
        done = nobody_came > 0 && finish(lane, &attempt);
    }
    PyTuple_SET_ITEM(told, 0, made[0]);
    PyTuple_SET_ITEM(told, 1, frame);
    PyTuple_SET_ITEM(told, 2, made[3]);
    PyTuple_SET_ITEM(told, 3, made[2]);
    /* A part was written, or nothing was tried: it is made again from the start.  What failed is not. */
    int again = failure == 0 || failure == EINTR || failure == EOPNOTSUPP || failure == EINVAL || failure == ENOSYS;
    PyTuple_SET_ITEM(told, 4, small_number(written == size ? -1 : again ? 0 : failure));
    if (!done)
        done = end_claim(lane, &attempt, told);
    Py_DECREF(segment);
    return done;
failed:
    Py_XDECREF(frame);
    Py_XDECREF(began);
    return -1;
}

/* Behind what is pending, for somebody to write and sync: 1 and the number. */
static int push(Lane *lane, PyObject *key, PyObject *value, PyObject **seq)
{
    Attempt attempt;
    PyObject *pending = COMMIT(_pending), *since = COMMIT(_unsynced_since), *dictionary, *begun = NULL, *made[NUMBERS];
    int64_t written;
    if (!prepare(lane, key, value, &attempt) || pending == NULL || !PyList_CheckExact(pending) ||
        !get_number(COMMIT(written_bytes), &written) ||
        attempt.logged - (HEADER_BYTES + attempt.payload) - written > lane->pending_max)
        return 0;
    double now = monotonic(), age = unsynced_age(lane, now);
    if (age < 0 || age >= lane->sync_age)
        return 0;
    if (COMMIT(syncing) != Py_False && COMMIT(policy) == lane->everysec) {
        PyObject *started = COMMIT(sync_started);
        if (started == NULL || !PyFloat_CheckExact(started) || now - PyFloat_AS_DOUBLE(started) >= lane->stall)
            return 0;
    }
    if ((dictionary = find_slot(lane, key)) == NULL)
        return 0;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + attempt.payload);
    if (frame == NULL || (since == Py_None && (begun = PyFloat_FromDouble(now)) == NULL))
        goto failed;
    const int64_t numbers[NUMBERS] = {attempt.seq, attempt.end, attempt.logged, 0};
    if (!make_numbers(made, numbers))
        goto failed;
    put_frame(PyBytes_AS_STRING(frame), &attempt, key, value);
    if (PyList_Append(pending, frame) < 0) {
        drop_numbers(made);
        goto failed;
    }
    if (PyDict_SetItem(dictionary, key, value) < 0) {
        Py_ssize_t count = PyList_GET_SIZE(pending);
        PyObject *kind, *what, *where;
        PyErr_Fetch(&kind, &what, &where);
        PyList_SetSlice(pending, count - 1, count, NULL); /* shortening a list takes no memory */
        PyErr_Restore(kind, what, where);
        drop_numbers(made);
        goto failed;
    }
    PyObject *segment = attempt.segment;
    Py_DECREF(frame);
    Py_DECREF(made[3]);
    *seq = Py_NewRef(made[0]);
    change(&COMMIT(applied_seq), made[0]);
    change(&SEGMENT(reserved), made[1]);
    change(&COMMIT(logged_bytes), made[2]);
    if (begun != NULL)
        change(&COMMIT(_unsynced_since), begun);
    return 1;
failed:
    Py_XDECREF(frame);
    Py_XDECREF(begun);
    return -1;
}

/* --- the object ---------------------------------------------------------------------------------------------------- */

static PyObject *level_of(Lane *lane, PyObject *durability)
{
    return durability == Py_None ? COMMIT(default_level) : durability;
}

PyDoc_STRVAR(put_doc,
             "put(key, value, durability, /)\n--\n\n"
             "True if it was done; None if nothing was changed, and the other way has to do it; its number if it is\n"
             "pending, and has to be waited for.");

/* The tuple is made before the first question: making one may have garbage collected, and that runs any code. */
static PyObject *put(PyObject *self, PyObject *const *arguments, Py_ssize_t given)
{
    Lane *lane = (Lane *)self;
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "put takes three arguments");
        return NULL;
    }
    PyObject *level = level_of(lane, arguments[2]), *key = arguments[0], *value = arguments[1];
    PyObject *told = NULL, *seq = NULL;
    if (level == lane->synced) {
        if ((told = PyTuple_New(5)) == NULL)
            return NULL;
        PyObject_GC_UnTrack(told); /* nobody shall come upon it while it is empty */
    }
    int done = level == lane->written || level == lane->synced ? is_free(lane) : 0;
    if (done > 0) {
        int alone = !has_waiters(lane);
        done = 0;
        if (level == lane->written && alone)
            done = store(lane, key, value);
        if (level == lane->synced && alone)
            done = write_through(lane, key, value, told);
        if (level == lane->synced && done == 0)
            done = push(lane, key, value, &seq);
    }
    Py_XDECREF(told);
    if (done < 0 || seq != NULL)
        return seq;
    return Py_NewRef(done ? Py_True : Py_None);
}

PyDoc_STRVAR(append_doc,
             "append(key, value, durability, /)\n--\n\n"
             "The number, if it was stored or is pending; None if nothing was changed, and the other way has to do it.");

static PyObject *append(PyObject *self, PyObject *const *arguments, Py_ssize_t given)
{
    Lane *lane = (Lane *)self;
    if (given != 3) {
        PyErr_SetString(PyExc_TypeError, "append takes three arguments");
        return NULL;
    }
    PyObject *level = level_of(lane, arguments[2]), *key = arguments[0], *value = arguments[1], *seq = NULL;
    int done = level == lane->written || level == lane->synced ? is_free(lane) : 0;
    if (done > 0 && level == lane->synced)
        done = push(lane, key, value, &seq);
    else if (done > 0)
        done = has_waiters(lane) ? 0 : store(lane, key, value);
    if (done < 0 || seq != NULL)
        return seq;
    return Py_NewRef(done ? COMMIT(applied_seq) : Py_None);
}

/* Where a class holds an attribute, which has to be a slot of it. */
static int find_offset(PyTypeObject *owner, const char *name, Py_ssize_t *at)
{
    PyObject *slot = PyObject_GetAttrString((PyObject *)owner, name);
    if (slot == NULL)
        return -1;
    if (Py_TYPE(slot) == &PyMemberDescr_Type) {
        PyMemberDescrObject *member = (PyMemberDescrObject *)slot;
        if (member->d_member->type == T_OBJECT_EX && PyType_IsSubtype(owner, PyDescr_TYPE(member))) {
            *at = member->d_member->offset;
            Py_DECREF(slot);
            return 0;
        }
    }
    Py_DECREF(slot);
    PyErr_Format(PyExc_TypeError, "%s.%s is no slot", owner->tp_name, name);
    return -1;
}

static int lane_clear(PyObject *self)
{
    Lane *lane = (Lane *)self;
    Py_CLEAR(lane->runner);
    Py_CLEAR(lane->commit);
    Py_CLEAR(lane->keyspace);
    Py_CLEAR(lane->store);
    Py_CLEAR(lane->segment);
    Py_CLEAR(lane->file);
    Py_CLEAR(lane->locked);
    Py_CLEAR(lane->acquire);
    Py_CLEAR(lane->release);
    Py_CLEAR(lane->take_over);
    Py_CLEAR(lane->encode);
    Py_CLEAR(lane->always);
    Py_CLEAR(lane->everysec);
    Py_CLEAR(lane->written);
    Py_CLEAR(lane->synced);
    return 0;
}

static int lane_traverse(PyObject *self, visitproc visit, void *arg)
{
    Lane *lane = (Lane *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(lane->runner);
    Py_VISIT(lane->commit);
    Py_VISIT(lane->keyspace);
    Py_VISIT(lane->store);
    Py_VISIT(lane->segment);
    Py_VISIT(lane->file);
    Py_VISIT(lane->locked);
    Py_VISIT(lane->acquire);
    Py_VISIT(lane->release);
    Py_VISIT(lane->take_over);
    Py_VISIT(lane->encode);
    Py_VISIT(lane->always);
    Py_VISIT(lane->everysec);
    Py_VISIT(lane->written);
    Py_VISIT(lane->synced);
    return 0;
}

static void lane_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    lane_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *lane_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *runner, *commit, *keyspace, *store, *segment, *file, *lock, *take_over, *encode;
    PyObject *always, *everysec, *written, *synced;
    double sync_age, stall;
    long long pending_max;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "a lane takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "OOOOO!O!OOOOOOOddL", &runner, &commit, &keyspace, &store, &PyType_Type, &segment,
                          &PyType_Type, &file, &lock, &take_over, &encode, &always, &everysec, &written, &synced,
                          &sync_age, &stall, &pending_max))
        return NULL;
    Lane *lane = (Lane *)type->tp_alloc(type, 0);
    if (lane == NULL)
        return NULL;
    lane->runner = Py_NewRef(runner);
    lane->commit = Py_NewRef(commit);
    lane->keyspace = Py_NewRef(keyspace);
    lane->store = Py_NewRef(store);
    lane->segment = (PyTypeObject *)Py_NewRef(segment);
    lane->file = (PyTypeObject *)Py_NewRef(file);
    lane->take_over = Py_NewRef(take_over);
    lane->encode = Py_NewRef(encode);
    lane->always = Py_NewRef(always);
    lane->everysec = Py_NewRef(everysec);
    lane->written = Py_NewRef(written);
    lane->synced = Py_NewRef(synced);
    lane->sync_age = sync_age;
    lane->stall = stall;
    lane->pending_max = pending_max;
    PyTypeObject *of_runner = Py_TYPE(runner), *of_commit = Py_TYPE(commit), *of_keyspace = Py_TYPE(keyspace),
                 *of_store = Py_TYPE(store), *of_segment = lane->segment, *of_file = lane->file;
#define FIND(owner, name) || find_offset(of_##owner, #name, &lane->owner##name##_at) < 0
    if ((lane->locked = PyObject_GetAttrString(lock, "locked")) == NULL ||
        (lane->acquire = PyObject_GetAttrString(lock, "acquire")) == NULL ||
        (lane->release = PyObject_GetAttrString(lock, "release")) == NULL SLOTS(FIND)) {
        Py_DECREF(lane);
        return NULL;
    }
#undef FIND
    return (PyObject *)lane;
}

static PyMethodDef lane_methods[] = {
    {"put", (PyCFunction)(void (*)(void))put, METH_FASTCALL, put_doc},
    {"append", (PyCFunction)(void (*)(void))append, METH_FASTCALL, append_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot lane_slots[] = {
    {Py_tp_doc, "Plain SETs in one call; see the head of its source."},
    {Py_tp_new, lane_new},
    {Py_tp_dealloc, lane_dealloc},
    {Py_tp_traverse, lane_traverse},
    {Py_tp_clear, lane_clear},
    {Py_tp_methods, lane_methods},
    {0, NULL},
};

static PyType_Spec lane_spec = {"durakv.keyspace._lane.Lane", sizeof(Lane), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, lane_slots};

static int fill(PyObject *module)
{
#ifdef Py_GIL_DISABLED
    PyErr_SetString(PyExc_ImportError, "the lane needs the interpreter lock");
    return -1;
#endif
    PyObject *type = PyType_FromSpec(&lane_spec);
    if (type == NULL)
        return -1;
    int failed = PyModule_AddObjectRef(module, "Lane", type) < 0 ? -1 : PyModule_AddIntConstant(module, "SHAPE", SHAPE);
    Py_DECREF(type);
    return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "durakv.keyspace._lane", "The compiled lane of the write path.", 0, NULL, module_slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__lane(void)
{
    make_tables();
    return PyModuleDef_Init(&definition);
}
