/* The layouts that the compiled twins share: the header of a frame, the words of a command, the two checksums.
 *
 * They are specified in formats/log-v1.md and formats/resp.md.  A module that includes this calls make_tables() once.
 */
#ifndef DURAKV_LAYOUT_H
#define DURAKV_LAYOUT_H

#include <stdint.h>
#include <string.h>

#define PLAIN_BYTES_MAX (64 << 10) /* of a frame's payload; the checksum of larger ones is faster elsewhere */
#define HEADER_BYTES 94
#define CHECKED_BYTES 84

/* --- CRC-32C ---------------------------------------------------------------------------------------------------- */

static uint32_t table[256];

static uint32_t crc_table(uint32_t crc, const uint8_t *data, size_t size)
{
    while (size--)
        crc = table[(crc ^ *data++) & 0xff] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse(uint32_t crc, const uint8_t *data, size_t size)
{
    uint64_t wide = crc, word;
    for (; size >= 8; size -= 8, data += 8) {
        memcpy(&word, data, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    while (size--)
        crc = __builtin_ia32_crc32qi(crc, *data++);
    return crc;
}
#endif

static uint32_t (*crc_of)(uint32_t, const uint8_t *, size_t) = crc_table;

static void choose_crc(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
        table[byte] = crc;
    }
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2"))
        crc_of = crc_sse;
#endif
}

/* --- numbers as text -------------------------------------------------------------------------------------------- */

static char *put_hex(char *to, uint64_t number, int digits)
{
    static const char figures[] = "0123456789abcdef";
    for (int at = digits - 1; at >= 0; at--, number >>= 4)
        to[at] = figures[number & 15];
    return to + digits;
}

static int decimal_digits(size_t number)
{
    int digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

static char *put_decimal(char *to, size_t number)
{
    int digits = decimal_digits(number);
    for (int at = digits - 1; at >= 0; at--, number /= 10)
        to[at] = (char)('0' + number % 10);
    return to + digits;
}

static char *put_line(char *to, char mark, size_t number)
{
    *to++ = mark;
    to = put_decimal(to, number);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

static char *put_word(char *to, const char *word, size_t length)
{
    to = put_line(to, '$', length);
    memcpy(to, word, length);
    to += length;
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

/* The header of a frame, into the HEADER_BYTES before its payload, which is there already. */
static void put_header(char *payload, uint64_t seq, uint64_t count, uint64_t length, uint64_t synced_seq,
                       uint64_t identity, uint64_t segment)
{
    char *start = payload - HEADER_BYTES, *to = start;
    memcpy(to, "#DKV1 ", 6);
    to = put_hex(to + 6, seq, 16);
    *to++ = ' ';
    to = put_hex(to, count, 8);
    *to++ = ' ';
    to = put_hex(to, length, 8);
    *to++ = ' ';
    to = put_hex(to, synced_seq, 16);
    *to++ = ' ';
    to = put_hex(to, identity, 16);
    *to++ = ' ';
    to = put_hex(to, segment, 8);
    *to++ = ' ';
    uint32_t crc = crc_of(0xffffffffu, (const uint8_t *)start, CHECKED_BYTES);
    to = put_hex(to, ~crc_of(crc, (const uint8_t *)payload, (size_t)length), 8);
    *to++ = '\r';
    *to++ = '\n';
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

static uint16_t slot_table[256];

static void make_slot_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
        slot_table[byte] = (uint16_t)crc;
    }
}

/* The slot function of a keyspace, before its mask: binascii.crc_hqx(key, 0). */
static uint16_t slot_of(const char *key, Py_ssize_t size)
{
    const uint8_t *byte = (const uint8_t *)key, *end = byte + size;
    uint16_t crc = 0;
    while (byte < end)
        crc = (uint16_t)(crc << 8) ^ slot_table[(crc >> 8) ^ *byte++];
    return crc;
}

static void make_tables(void)
{
    choose_crc();
    make_slot_table();
}

#endif
