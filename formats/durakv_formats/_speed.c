/* The compiled twin of what a log does for each record: encode a batch, frame it, read plain frames back.
 *
 * It also puts what was read into the dictionaries of a keyspace's slots, the other half of the price of a replay, and
 * looks through such a dictionary before it is written into a base.
 *
 * Every function does the plain case only, and returns None (or stops) for everything else: another type, a size
 * beyond the common, damage, the end of the data.  The caller then goes the way written in Python, which decides what
 * is an error and says so.  So nothing here has a limit or a message of its own, and the package works without it.
 *
 * The layouts are specified in formats/resp.md and formats/log-v1.md.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_layout.h"

#define ENCODED_BYTES_MAX (1 << 20) /* of an encoded batch */
#define PLAIN_COMMANDS_MAX 4096
#define COMMAND_BYTES_MIN 10

/* Both return -1 for a character that is no lower-case figure, which no number of ours holds. */
static int hex_figure(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static int get_hex(const uint8_t *from, int digits, uint64_t *number)
{
    uint64_t value = 0;
    for (int at = 0; at < digits; at++) {
        int figure = hex_figure(from[at]);
        if (figure < 0)
            return -1;
        value = value << 4 | (uint64_t)figure;
    }
    *number = value;
    return 0;
}

/* A line such as "$12 CRLF": no sign, no leading zero, at most seven digits.  The end of the line, or NULL. */
static const uint8_t *get_line(const uint8_t *at, const uint8_t *end, uint8_t mark, Py_ssize_t *number)
{
    Py_ssize_t value = 0;
    int digits = 0;
    if (at >= end || *at++ != mark)
        return NULL;
    while (at < end && *at >= '0' && *at <= '9') {
        if (++digits > 7 || (digits == 2 && value == 0))
            return NULL;
        value = value * 10 + (*at++ - '0');
    }
    if (digits == 0 || end - at < 2 || at[0] != '\r' || at[1] != '\n')
        return NULL;
    *number = value;
    return at + 2;
}

/* --- encoding --------------------------------------------------------------------------------------------------- */

static int is_row(PyObject *object)
{
    return PyTuple_CheckExact(object) || PyList_CheckExact(object);
}

/* The size of a plain command, or -1. */
static Py_ssize_t command_bytes(PyObject *command)
{
    if (!is_row(command))
        return -1;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(command);
    if (count == 0 || count > PLAIN_COMMANDS_MAX)
        return -1;
    PyObject **words = PySequence_Fast_ITEMS(command);
    Py_ssize_t size = 3 + decimal_digits((size_t)count);
    for (Py_ssize_t at = 0; at < count; at++) {
        if (!PyBytes_CheckExact(words[at]))
            return -1;
        Py_ssize_t length = PyBytes_GET_SIZE(words[at]);
        if (length > ENCODED_BYTES_MAX)
            return -1;
        size += 5 + decimal_digits((size_t)length) + length;
        if (size > ENCODED_BYTES_MAX)
            return -1;
    }
    return size;
}

static char *put_command(char *to, PyObject *command)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(command);
    PyObject **words = PySequence_Fast_ITEMS(command);
    to = put_line(to, '*', (size_t)count);
    for (Py_ssize_t at = 0; at < count; at++)
        to = put_word(to, PyBytes_AS_STRING(words[at]), (size_t)PyBytes_GET_SIZE(words[at]));
    return to;
}

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";

PyDoc_STRVAR(encode_batch_doc,
             "encode_batch(batch, /)\n--\n\nThe payload of a plain batch; None for any that is not plain.");

/* No Python code runs between measuring and copying, so nothing can change in between. */
static PyObject *encode_batch(PyObject *module, PyObject *batch)
{
    (void)module;
    if (!is_row(batch))
        Py_RETURN_NONE;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(batch);
    if (count == 0 || count > PLAIN_COMMANDS_MAX)
        Py_RETURN_NONE;
    PyObject **commands = PySequence_Fast_ITEMS(batch);
    Py_ssize_t size = count > 1 ? (Py_ssize_t)(sizeof multi - 1 + sizeof exec - 1) : 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        Py_ssize_t bytes = command_bytes(commands[at]);
        if (bytes < 0 || (size += bytes) > ENCODED_BYTES_MAX)
            Py_RETURN_NONE;
    }
    PyObject *payload = PyBytes_FromStringAndSize(NULL, size);
    if (payload == NULL)
        return NULL;
    char *to = PyBytes_AS_STRING(payload);
    if (count > 1) {
        memcpy(to, multi, sizeof multi - 1);
        to += sizeof multi - 1;
    }
    for (Py_ssize_t at = 0; at < count; at++)
        to = put_command(to, commands[at]);
    if (count > 1)
        memcpy(to, exec, sizeof exec - 1);
    return payload;
}

static int get_number(PyObject *object, uint64_t *number)
{
    if (!PyLong_CheckExact(object))
        return -1;
    *number = PyLong_AsUnsignedLongLong(object);
    if (*number == (uint64_t)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(encode_frame_doc, "encode_frame(payload, seq, count, synced_seq, identity, segment, /)\n--\n\n"
                               "The frame of a plain batch; None for any that is not plain.");

static PyObject *encode_frame(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    uint64_t seq, count, synced_seq, identity, segment;
    if (given != 6) {
        PyErr_SetString(PyExc_TypeError, "encode_frame takes six arguments");
        return NULL;
    }
    if (!PyBytes_CheckExact(arguments[0]) || get_number(arguments[1], &seq) || get_number(arguments[2], &count) ||
        get_number(arguments[3], &synced_seq) || get_number(arguments[4], &identity) ||
        get_number(arguments[5], &segment))
        Py_RETURN_NONE;
    uint64_t length = (uint64_t)PyBytes_GET_SIZE(arguments[0]);
    if (length > PLAIN_BYTES_MAX || count == 0 || count > length / COMMAND_BYTES_MIN || count > seq ||
        seq > INT64_MAX || synced_seq > seq || segment > UINT32_MAX)
        Py_RETURN_NONE;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + (Py_ssize_t)length);
    if (frame == NULL)
        return NULL;
    char *payload = PyBytes_AS_STRING(frame) + HEADER_BYTES;
    memcpy(payload, PyBytes_AS_STRING(arguments[0]), (size_t)length);
    put_header(payload, seq, count, length, synced_seq, identity, segment);
    return frame;
}

/* --- decoding --------------------------------------------------------------------------------------------------- */

/* A plain command as a list of byte strings; NULL without an exception if it is not plain. */
static PyObject *get_command(const uint8_t **place, const uint8_t *end)
{
    Py_ssize_t count, length;
    const uint8_t *at = get_line(*place, end, '*', &count);
    /* No more words than there are bytes for: a count is believed only as far as the data can hold it. */
    if (at == NULL || count == 0 || count > PLAIN_COMMANDS_MAX || count > (end - at) / 6)
        return NULL;
    PyObject *command = PyList_New(count);
    if (command == NULL)
        return NULL;
    for (Py_ssize_t index = 0; index < count; index++) {
        at = get_line(at, end, '$', &length);
        if (at == NULL || end - at < length + 2 || at[length] != '\r' || at[length + 1] != '\n')
            goto not_plain;
        PyObject *word = PyBytes_FromStringAndSize((const char *)at, length);
        if (word == NULL)
            goto not_plain;
        PyList_SET_ITEM(command, index, word);
        at += length + 2;
    }
    *place = at;
    return command;
not_plain:
    Py_DECREF(command);
    return NULL;
}

/* The commands of a payload; NULL without an exception if they are not plain. */
static PyObject *get_commands(const uint8_t *at, const uint8_t *end, Py_ssize_t count)
{
    if (count > 1) {
        if ((size_t)(end - at) < sizeof multi + sizeof exec - 2 || memcmp(at, multi, sizeof multi - 1) != 0 ||
            memcmp(end - (sizeof exec - 1), exec, sizeof exec - 1) != 0)
            return NULL;
        at += sizeof multi - 1;
        end -= sizeof exec - 1;
    }
    PyObject *commands = PyList_New(count);
    if (commands == NULL)
        return NULL;
    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *command = get_command(&at, end);
        if (command == NULL) {
            Py_DECREF(commands);
            return NULL;
        }
        PyList_SET_ITEM(commands, index, command);
    }
    if (at != end) {
        Py_DECREF(commands);
        return NULL;
    }
    return commands;
}

/* A header whose numbers are plausible and which the data holds the payload of; 0 if it is not plain. */
typedef struct {
    uint64_t seq, count, length, synced_seq;
} Head;

static int get_head(const uint8_t *at, const uint8_t *end, uint64_t identity, uint64_t segment, Head *head)
{
    uint64_t its_identity, its_segment, crc;
    if (end - at <= HEADER_BYTES || memcmp(at, "#DKV1 ", 6) != 0 || get_hex(at + 6, 16, &head->seq) ||
        at[22] != ' ' || get_hex(at + 23, 8, &head->count) || at[31] != ' ' || get_hex(at + 32, 8, &head->length) ||
        at[40] != ' ' || get_hex(at + 41, 16, &head->synced_seq) || at[57] != ' ' ||
        get_hex(at + 58, 16, &its_identity) || at[74] != ' ' || get_hex(at + 75, 8, &its_segment) || at[83] != ' ' ||
        get_hex(at + 84, 8, &crc) || at[92] != '\r' || at[93] != '\n')
        return 0;
    if (its_identity != identity || its_segment != segment || head->length > PLAIN_BYTES_MAX ||
        head->length > (uint64_t)(end - at - HEADER_BYTES) || head->count == 0 ||
        head->count > head->length / COMMAND_BYTES_MIN || head->count > PLAIN_COMMANDS_MAX ||
        head->count > head->seq || head->seq > INT64_MAX || head->synced_seq > head->seq)
        return 0;
    uint32_t found = crc_of(0xffffffffu, at, CHECKED_BYTES);
    return (uint32_t)~crc_of(found, at + HEADER_BYTES, (size_t)head->length) == (uint32_t)crc;
}

PyDoc_STRVAR(decode_frames_doc,
             "decode_frames(data, at, identity, segment, count_max, /)\n--\n\n"
             "Plain frames from data[at:], at most so many: a list of (seq, count, synced_seq, end, commands), each "
             "with the offset behind it.\nStops before the first that is damaged, incomplete or not plain.");

static PyObject *decode_frames(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    uint64_t identity, segment;
    if (given != 5 || !PyBytes_Check(arguments[0]) || get_number(arguments[2], &identity) ||
        get_number(arguments[3], &segment)) {
        PyErr_SetString(PyExc_TypeError, "decode_frames takes bytes and four numbers");
        return NULL;
    }
    Py_ssize_t start = PyLong_AsSsize_t(arguments[1]), count_max = PyLong_AsSsize_t(arguments[4]);
    if (PyErr_Occurred())
        return NULL;
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(arguments[0]);
    const uint8_t *end = data + PyBytes_GET_SIZE(arguments[0]);
    PyObject *frames = PyList_New(0);
    if (frames == NULL)
        return NULL;
    if (start < 0 || start > end - data)
        return frames;
    Head head;
    for (const uint8_t *at = data + start; count_max > 0 && get_head(at, end, identity, segment, &head); count_max--) {
        const uint8_t *payload = at + HEADER_BYTES;
        PyObject *commands = get_commands(payload, payload + head.length, (Py_ssize_t)head.count);
        if (commands == NULL)
            break;
        at = payload + head.length;
        PyObject *frame = Py_BuildValue("KKKnN", (unsigned long long)head.seq, (unsigned long long)head.count,
                                        (unsigned long long)head.synced_seq, (Py_ssize_t)(at - data), commands);
        if (frame == NULL || PyList_Append(frames, frame) < 0) {
            Py_XDECREF(frame);
            break;
        }
        Py_DECREF(frame);
    }
    if (PyErr_Occurred()) {
        Py_DECREF(frames);
        return NULL;
    }
    return frames;
}

/* Add the three words of the plain command at *place to three lists, and move it behind them; 0 if it is not plain, -1
 * with an exception.  A word that is
 * the same as the one before it in its list is not made again: nearly all names are. */
static int add_words(const uint8_t **place, const uint8_t *end, PyObject *lists[3])
{
    const uint8_t *words[3], *at;
    Py_ssize_t lengths[3], count;
    at = get_line(*place, end, '*', &count);
    if (at == NULL || count != 3)
        return 0;
    for (int index = 0; index < 3; index++) {
        at = get_line(at, end, '$', &lengths[index]);
        if (at == NULL || end - at < lengths[index] + 2 || at[lengths[index]] != '\r' ||
            at[lengths[index] + 1] != '\n')
            return 0;
        words[index] = at;
        at += lengths[index] + 2;
    }
    *place = at;
    for (int index = 0; index < 3; index++) {
        Py_ssize_t held = PyList_GET_SIZE(lists[index]);
        PyObject *word = held == 0 ? NULL : PyList_GET_ITEM(lists[index], held - 1);
        if (word != NULL && PyBytes_GET_SIZE(word) == lengths[index] &&
            memcmp(PyBytes_AS_STRING(word), words[index], (size_t)lengths[index]) == 0)
            Py_INCREF(word);
        else if ((word = PyBytes_FromStringAndSize((const char *)words[index], lengths[index])) == NULL)
            return -1;
        int failed = PyList_Append(lists[index], word);
        Py_DECREF(word);
        if (failed)
            return -1;
    }
    return 1;
}

static void cut_lists(PyObject *lists[3], Py_ssize_t size)
{
    for (int index = 0; index < 3; index++)
        if (PyList_SetSlice(lists[index], size, PyList_GET_SIZE(lists[index]), NULL) < 0)
            PyErr_Clear(); /* shortening a list takes no memory */
}

PyDoc_STRVAR(decode_columns_doc,
             "decode_columns(payload, count, /)\n--\n\n"
             "The words of a batch of plain commands of three words each, column by column; None if it is none.");

static PyObject *decode_columns(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    if (given != 2 || !PyBytes_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "decode_columns takes bytes and a number");
        return NULL;
    }
    Py_ssize_t count = PyLong_AsSsize_t(arguments[1]);
    if (count == -1 && PyErr_Occurred())
        return NULL;
    const uint8_t *at = (const uint8_t *)PyBytes_AS_STRING(arguments[0]), *end = at + PyBytes_GET_SIZE(arguments[0]);
    if ((size_t)(end - at) < sizeof multi + sizeof exec - 2 || memcmp(at, multi, sizeof multi - 1) != 0 ||
        memcmp(end - (sizeof exec - 1), exec, sizeof exec - 1) != 0)
        Py_RETURN_NONE;
    at += sizeof multi - 1;
    end -= sizeof exec - 1;
    PyObject *lists[3] = {PyList_New(0), PyList_New(0), PyList_New(0)}, *columns = NULL;
    if (lists[0] != NULL && lists[1] != NULL && lists[2] != NULL) {
        int added = 1;
        while (added == 1 && at < end && count-- > 0)
            added = add_words(&at, end, lists);
        if (added == 1 && at == end && count == 0)
            columns = PyTuple_Pack(3, lists[0], lists[1], lists[2]);
        else if (added >= 0)
            columns = Py_NewRef(Py_None);
    }
    for (int index = 0; index < 3; index++)
        Py_XDECREF(lists[index]);
    return columns;
}

PyDoc_STRVAR(decode_run_doc,
             "decode_run(data, identity, segment, seq, /)\n--\n\n"
             "The plain frames of one command of three words each that data begins with, the first number seq:\n"
             "(names, keys, values, ends, highest promise), ends as the bytes of 32-bit numbers.");

static PyObject *decode_run(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    uint64_t identity, segment, seq, promise = 0;
    if (given != 4 || !PyBytes_Check(arguments[0]) || get_number(arguments[1], &identity) ||
        get_number(arguments[2], &segment) || get_number(arguments[3], &seq)) {
        PyErr_SetString(PyExc_TypeError, "decode_run takes bytes and three numbers");
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(arguments[0]);
    const uint8_t *end = data + PyBytes_GET_SIZE(arguments[0]), *at = data;
    PyObject *lists[3] = {PyList_New(0), PyList_New(0), PyList_New(0)}, *run = NULL;
    size_t count = 0, room = 0;
    uint32_t *ends = NULL;
    if (lists[0] == NULL || lists[1] == NULL || lists[2] == NULL)
        goto done;
    for (Head head; get_head(at, end, identity, segment, &head); count++, seq++) {
        if (head.count != 1 || head.seq != seq || (uint64_t)(at - data) + HEADER_BYTES + head.length > UINT32_MAX)
            break;
        if (count == room) {
            uint32_t *more = PyMem_Realloc(ends, (room = room ? 2 * room : 256) * sizeof *ends);
            if (more == NULL) {
                PyErr_NoMemory();
                goto done;
            }
            ends = more;
        }
        const uint8_t *next = at + HEADER_BYTES, *payload_end = next + head.length;
        Py_ssize_t held = PyList_GET_SIZE(lists[0]);
        int added = add_words(&next, payload_end, lists);
        if (added < 0)
            goto done;
        if (added == 0 || next != payload_end) {
            cut_lists(lists, held);
            break;
        }
        at = payload_end;
        ends[count] = (uint32_t)(at - data);
        if (head.synced_seq > promise)
            promise = head.synced_seq;
    }
    run = Py_BuildValue("OOOy#K", lists[0], lists[1], lists[2], ends ? (const char *)ends : "",
                        (Py_ssize_t)(count * sizeof *ends), (unsigned long long)promise);
done:
    PyMem_Free(ends);
    for (int index = 0; index < 3; index++)
        Py_XDECREF(lists[index]);
    return run;
}

/* --- dictionaries ----------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(put_all_doc,
             "put_all(slots, mask, keys, values, /)\n--\n\n"
             "Put each value under its key into the dictionary of its slot, which binascii.crc_hqx(key, 0) & mask says."
             "\nReturns how many it put: it stops where the slot holds no dictionary, or a key is no byte string.");

static PyObject *put_all(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    if (given != 4 || !PyList_CheckExact(arguments[0]) || !PyList_CheckExact(arguments[2]) ||
        !PyList_CheckExact(arguments[3])) {
        PyErr_SetString(PyExc_TypeError, "put_all takes a list of dictionaries, a mask, and two lists");
        return NULL;
    }
    Py_ssize_t mask = PyLong_AsSsize_t(arguments[1]), at = 0;
    if (mask == -1 && PyErr_Occurred())
        return NULL;
    PyObject *slots = arguments[0], *keys = arguments[2], *values = arguments[3];
    for (; at < PyList_GET_SIZE(keys) && at < PyList_GET_SIZE(values); at++) {
        PyObject *key = PyList_GET_ITEM(keys, at);
        if (!PyBytes_CheckExact(key))
            break;
        Py_ssize_t slot = slot_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key)) & mask;
        if (slot >= PyList_GET_SIZE(slots) || !PyDict_CheckExact(PyList_GET_ITEM(slots, slot)))
            break;
        if (PyDict_SetItem(PyList_GET_ITEM(slots, slot), key, PyList_GET_ITEM(values, at)) < 0)
            return NULL;
    }
    return PyLong_FromSsize_t(at);
}

PyDoc_STRVAR(count_bytes_doc,
             "count_bytes(strings, /)\n--\n\n"
             "How many bytes the keys and the values of a dictionary have together; None if any is no byte string.");

static PyObject *count_bytes(PyObject *module, PyObject *strings)
{
    (void)module;
    PyObject *key, *value;
    Py_ssize_t at = 0, size = 0;
    if (!PyDict_CheckExact(strings))
        Py_RETURN_NONE;
    while (PyDict_Next(strings, &at, &key, &value)) {
        if (!PyBytes_CheckExact(key) || !PyBytes_CheckExact(value))
            Py_RETURN_NONE;
        size += PyBytes_GET_SIZE(key) + PyBytes_GET_SIZE(value);
    }
    return PyLong_FromSsize_t(size);
}

PyDoc_STRVAR(put_batch_doc,
             "put_batch(slots, mask, batch, /)\n--\n\n"
             "put_all of a batch whose commands are all SET, key, value; False, and nothing done, for any other, and\n"
             "where a slot holds no dictionary.");

static PyObject *put_batch(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    (void)module;
    if (given != 3 || !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "put_batch takes a list of dictionaries, a mask, and a batch");
        return NULL;
    }
    Py_ssize_t mask = PyLong_AsSsize_t(arguments[1]);
    if (mask == -1 && PyErr_Occurred())
        return NULL;
    PyObject *slots = arguments[0], *batch = arguments[2];
    if (!is_row(batch))
        Py_RETURN_FALSE;
    /* First all are looked at, then all are put; nothing in between runs code that could change them. */
    for (int putting = 0; putting < 2; putting++)
        for (Py_ssize_t at = 0; at < PySequence_Fast_GET_SIZE(batch); at++) {
            PyObject *command = PySequence_Fast_GET_ITEM(batch, at);
            if (!is_row(command) || PySequence_Fast_GET_SIZE(command) != 3)
                Py_RETURN_FALSE;
            PyObject **words = PySequence_Fast_ITEMS(command);
            if (!PyBytes_CheckExact(words[0]) || PyBytes_GET_SIZE(words[0]) != 3 ||
                memcmp(PyBytes_AS_STRING(words[0]), "SET", 3) != 0 || !PyBytes_CheckExact(words[1]) ||
                !PyBytes_CheckExact(words[2]))
                Py_RETURN_FALSE;
            Py_ssize_t slot = slot_of(PyBytes_AS_STRING(words[1]), PyBytes_GET_SIZE(words[1])) & mask;
            if (slot >= PyList_GET_SIZE(slots) || !PyDict_CheckExact(PyList_GET_ITEM(slots, slot)))
                Py_RETURN_FALSE;
            if (putting && PyDict_SetItem(PyList_GET_ITEM(slots, slot), words[1], words[2]) < 0)
                return NULL;
        }
    Py_RETURN_TRUE;
}

/* --- the module ------------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"encode_batch", encode_batch, METH_O, encode_batch_doc},
    {"encode_frame", (PyCFunction)(void (*)(void))encode_frame, METH_FASTCALL, encode_frame_doc},
    {"decode_run", (PyCFunction)(void (*)(void))decode_run, METH_FASTCALL, decode_run_doc},
    {"decode_columns", (PyCFunction)(void (*)(void))decode_columns, METH_FASTCALL, decode_columns_doc},
    {"put_all", (PyCFunction)(void (*)(void))put_all, METH_FASTCALL, put_all_doc},
    {"count_bytes", count_bytes, METH_O, count_bytes_doc},
    {"put_batch", (PyCFunction)(void (*)(void))put_batch, METH_FASTCALL, put_batch_doc},
    {"decode_frames", (PyCFunction)(void (*)(void))decode_frames, METH_FASTCALL, decode_frames_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "durakv_formats._speed", "The compiled twin of the log's codecs.", 0, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__speed(void)
{
    make_tables();
    return PyModuleDef_Init(&definition);
}
