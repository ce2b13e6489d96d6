/* A CUDA driver and its video decoder, as much of them as FFmpeg calls to decode H.264.
 *
 * The decoder knows the pictures of the films that it was shown: a coded picture is looked up by its bytes, as they
 * arrive from FFmpeg's demuxer and parser. All else is as with a device: contexts, surfaces by index, planes in NV12
 * that are mapped and copied to the host. Structures are laid out like CUDA's, up to the last member used here.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 801, UNKNOWN = 999, HOST = 1, H264 = 4, NV12 = 0, PICTURES = 4096, SURFACES = 64 };

#define IDLE(name) int name(void) { return SUCCESS; }
#define MISSING(name) int name(void) { return NOT_SUPPORTED; }
CALLS /* MISSING of each function that FFmpeg looks for and that is not below: given when this is compiled */

/* What the process shows and asks */

static struct { uint64_t key; int width, height; uint8_t *planes; } pictures[PICTURES];
static int known, decoded, lost_after;

static uint64_t hash(const uint8_t *bytes, unsigned count) /* FNV-1a */
{
    uint64_t key = 0xcbf29ce484222325u;
    for (unsigned i = 0; i < count; i++)
        key = (key ^ bytes[i]) * 0x100000001b3u;
    return key;
}

static int find(uint64_t key)
{
    for (int i = 0; i < known; i++)
        if (pictures[i].key == key)
            return i;
    return -1;
}

/* The planes that a coded picture decodes to, NV12 without gaps. 0: no place, or one with the same bytes is known. */
int show(const uint8_t *coded, unsigned count, int width, int height, const uint8_t *planes)
{
    uint64_t key = hash(coded, count);
    size_t size = (size_t)width * height * 3 / 2;
    if (known == PICTURES || find(key) >= 0)
        return 0;
    pictures[known].key = key, pictures[known].width = width, pictures[known].height = height;
    pictures[known++].planes = memcpy(malloc(size), planes, size);
    return 1;
}

int pictures_decoded(void) { return decoded; }

/* The device fails from its count-th picture on; 0: it does not. */
void lose_after(int count) { lost_after = count; }

/* The driver */

static int context;

static int held, contexts;

int contexts_made(void) { return contexts; }

IDLE(cuInit) IDLE(cuCtxPushCurrent_v2) IDLE(cuDevicePrimaryCtxSetFlags) IDLE(cuStreamSynchronize)

int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { *device = 0; return ordinal ? UNKNOWN : SUCCESS; }
int cuCtxPopCurrent_v2(void **popped) { *popped = &context; return SUCCESS; }
int cuGetErrorName(int error, const char **name) { (void)error, *name = "simulated"; return SUCCESS; }
int cuGetErrorString(int error, const char **text) { (void)error, *text = "of the simulated device"; return SUCCESS; }

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    (void)attribute, (void)device;
    *value = 512; /* bytes to which rows are aligned, the one attribute that is asked for */
    return SUCCESS;
}

/* The context of a device is there as long as somebody holds it. */
int cuDevicePrimaryCtxRetain(void **made, int device)
{
    (void)device;
    *made = &context;
    if (__atomic_add_fetch(&held, 1, __ATOMIC_RELAXED) == 1)
        __atomic_add_fetch(&contexts, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

int cuDevicePrimaryCtxRelease(int device)
{
    (void)device;
    __atomic_sub_fetch(&held, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active)
{
    (void)device;
    *flags = 4, *active = 0; /* waiting blocks, as FFmpeg wants it */
    return SUCCESS;
}

struct copy {
    size_t from_x, from_y;
    int from_kind;
    const uint8_t *from_host, *from_device;
    void *from_array;
    size_t from_pitch, to_x, to_y;
    int to_kind;
    uint8_t *to_host, *to_device;
    void *to_array;
    size_t to_pitch, width, height;
};

int cuMemcpy2DAsync_v2(const struct copy *asked, void *stream)
{
    (void)stream;
    const uint8_t *from = asked->from_kind == HOST ? asked->from_host : asked->from_device;
    uint8_t *to = asked->to_kind == HOST ? asked->to_host : asked->to_device;
    from += asked->from_y * asked->from_pitch + asked->from_x;
    to += asked->to_y * asked->to_pitch + asked->to_x;
    for (size_t row = 0; row < asked->height; row++)
        memcpy(to + row * asked->to_pitch, from + row * asked->from_pitch, asked->width);
    return SUCCESS;
}

int cuMemAlloc_v2(uint8_t **memory, size_t bytes)
{
    *memory = calloc(1, bytes);
    return SUCCESS;
}

int cuMemFree_v2(uint8_t *memory)
{
    free(memory);
    return SUCCESS;
}

/* The decoder */

struct caps {
    int codec, chroma;
    unsigned depth, reserved[3];
    uint8_t supported, engines;
    uint16_t formats;
    unsigned max_width, max_height, max_blocks;
    uint16_t min_width, min_height;
};

struct settings {
    unsigned long width, height, surfaces;
    int codec, chroma;
    unsigned long unused[6];
    short area[4];
    int format, deinterlace;
    unsigned long target_width, target_height;
};

struct coded {
    int blocks_across, blocks_down, surface, field, bottom, second;
    unsigned count;
    const uint8_t *bytes;
};

struct decoder {
    int width, height;
    uint8_t *surfaces[SURFACES];
};

IDLE(cuvidUnmapVideoFrame64)

int cuvidGetDecoderCaps(struct caps *asked)
{
    asked->supported = asked->codec == H264, asked->engines = 1, asked->formats = 1 << NV12;
    asked->max_width = asked->max_height = 4096, asked->max_blocks = 65536;
    asked->min_width = asked->min_height = 16;
    return SUCCESS;
}

int cuvidCreateDecoder(struct decoder **made, const struct settings *wanted)
{
    if (wanted->codec != H264 || wanted->format != NV12 || wanted->surfaces > SURFACES)
        return NOT_SUPPORTED;
    struct decoder *decoder = *made = calloc(1, sizeof **made);
    decoder->width = (int)wanted->target_width, decoder->height = (int)wanted->target_height;
    for (unsigned long i = 0; i < wanted->surfaces; i++)
        decoder->surfaces[i] = calloc((size_t)decoder->width * decoder->height, 2);
    return SUCCESS;
}

int cuvidDestroyDecoder(struct decoder *decoder)
{
    for (int i = 0; i < SURFACES; i++)
        free(decoder->surfaces[i]);
    free(decoder);
    return SUCCESS;
}

int cuvidDecodePicture(struct decoder *decoder, const struct coded *given)
{
    int place = find(hash(given->bytes, given->count));
    if (place < 0 || (lost_after && decoded >= lost_after))
        return UNKNOWN;
    int width = pictures[place].width, height = pictures[place].height;
    /* A surface is as large as the coded picture, in whole blocks; what is shown of it lies at its upper left. */
    for (int row = 0; row < height * 3 / 2; row++) {
        int own = row < height ? row : decoder->height + row - height;
        uint8_t *to = decoder->surfaces[given->surface] + (size_t)own * decoder->width;
        memcpy(to, pictures[place].planes + (size_t)row * width, width);
    }
    __atomic_add_fetch(&decoded, 1, __ATOMIC_RELAXED);
    return SUCCESS;
}

int cuvidMapVideoFrame64(struct decoder *decoder, int surface, uint8_t **memory, unsigned *pitch, void *settings)
{
    (void)settings;
    *memory = decoder->surfaces[surface], *pitch = (unsigned)decoder->width;
    return SUCCESS;
}
