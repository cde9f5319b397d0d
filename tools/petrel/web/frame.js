// Reads frames (docs/WIRE.md) in a browser or under node. One module, no dependencies.
//
//   import {decode, markOf, Profile} from "./frame.js";
//   const profile = new Profile(bytes);                 // from devices/{id}/profile
//   const frame = decode(bytes, new Map([[profile.mark, profile]]));
//   frame.seq, frame.times[i], frame.values[i][channel]  // ms; integers, null if missing
//   valueOf(frame.schema.channels[c], frame.values[i][c])  // in its unit
//
// Every count is capped before anything is allocated; whatever is wrong is a ProtocolError.

const SELF = 14;
const REF = 15;
const MAX_READINGS = 1024;
const REACH = 2 ** 28;
const SEEN_LIMIT = 40;
const SEEN_TRAINED = 30;
const NODES = 139;

const UNITS = ("Cel|%RH|hPa|V|%|A|W|lx|ppm|m/s|deg|count|/|mm|ug/m3|" +
  "|Pa|kPa|bar|mbar|K|degF|m|cm|km|in|ft|mi|kg|g|s|ms|min|h|Hz|rad|m/s2|km/h|kn|mph|m3|l|" +
  "m3/s|l/min|J|Wh|kWh|VA|var|VAh|varh|kW|mA|mV|Ah|C|Ohm|S|S/m|uS/cm|F|H|N|lm|cd|cd/m2|W/m2|" +
  "dB|dBm|Bq|Sv|T|pH|bit|bit/s|B|lat|lon").split("|");
const KEYS = "thpvbiwlcsdnrmq";
const INTERVALS_S = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 86400];
const PRESETS = [[0, 0, 0, 0], [4, 0, 0, 0], [-3, -2, -1, 0], [2, 1, 1, 0], [0, 0, 0, 4]];
const MASK = 4;
const MASK_SCALE = 2;
const BEYOND = [240, 239, 232, 222, 210, 193, 172, 146, 116, 83, 52, 27, 16];
const BOUNDARIES = [0, 3, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32];

export class ProtocolError extends Error {}

/** A REF frame names a profile that is not at hand: keep the frame and ask for `mark`. */
export class UnknownProfile extends ProtocolError {
  constructor(mark) {
    super(`no profile ${mark.toString(16).padStart(4, "0")} at hand`);
    this.mark = mark;
  }
}

function refuse(why) {
  throw new ProtocolError(why);
}

/** CRC-24, polynomial 0x864CFB, going on from `crc`. */
function crc24(data, crc) {
  for (const byte of data) {
    crc ^= byte << 16;
    for (let i = 0; i < 8; i++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= 0x1864cfb;
    }
  }
  return crc;
}

const clip = (change) => Math.max(-8191, Math.min(8191, change));
const mantissaAt = (length) => length > 3 ? 55 + 7 * (length - 4) : length === 3 ? 52 : 51;

// ---- the coder

/** What frames and profiles share in spelling out a schema: needs bits() and flag(). */
class Reader {
  /** 0 to 2^30 - 1. */
  number() {
    let length = this.bits(4);
    if (length === 15) length += this.bits(4);
    if (length > 30) refuse("a number is too large");
    return length ? 2 ** (length - 1) + this.bits(length - 1) : 0;
  }

  text() {
    const short = this.bits(1);
    const bytes = [];
    for (let left = short ? 1 : this.bits(6); left > 0; left--) {
      const x = this.bits(5);
      if ((x > 25 && x < 31) || (short && x > 25)) refuse("no encoder writes this");
      bytes.push(x < 26 ? 97 + x : this.bits(8));
    }
    try {
      return new TextDecoder("utf-8", {fatal: true, ignoreBOM: true})
        .decode(Uint8Array.from(bytes));
    } catch {
      return refuse("a name is no UTF-8");
    }
  }
}

class RangeDecoder extends Reader {
  constructor(data) {
    super();
    this.data = data;
    this.pos = 0;
    this.range = 0x1000000;
    this.code = 0;
    for (let i = 0; i < 3; i++) this.code = this.code << 8 | this.next();
  }

  next() {
    if (this.pos === this.data.length) refuse("the frame is cut short");
    return this.data[this.pos++];
  }

  narrow(start, size) {
    this.code -= start;
    while (size < 65536) {
      this.code = this.code << 8 | this.next();
      size <<= 8;
    }
    this.range = size;
  }

  bits(count) {
    let value = 0;
    while (count > 0) {
      const some = Math.min(count, 8);
      count -= some;
      const size = this.range >> some;
      const part = Math.floor(this.code / size);
      if (part >> some) refuse("no encoder writes this");
      value = value << some | part;
      this.narrow(part * size, size);
    }
    return value;
  }

  /** A bit that is 1 once in 2^shift times. */
  flag(shift) {
    const part = this.range >> shift;
    if (this.code < part) {
      this.narrow(0, part);
      return 1;
    }
    this.narrow(part, this.range - part);
    return 0;
  }

  /** A signed number of about `usual` bits. */
  near(usual) {
    let length = usual;
    if (this.flag(3)) {
      length++;
      while (this.flag(1)) {
        if (++length > 30) refuse("a number is too large");
      }
    } else {
      while (length && !this.flag(1)) length--;
    }
    if (!length) return 0;
    const sign = this.bits(1);
    const size = 2 ** (length - 1) + this.bits(length - 1);
    return sign ? -size : size;
  }

  /** One adaptive decision. */
  decide(nodes, j) {
    const p = nodes[j];
    const seen = nodes[NODES + j];
    const rate = Math.floor(32768 / (2 * seen + 3));
    const part = (this.range >> 9) * p >> 6;
    if (seen < SEEN_LIMIT) nodes[NODES + j] = seen + 1;
    if (this.code < part) {
      nodes[j] = p + ((32768 - p) * rate >> 14);
      this.narrow(0, part);
      return 1;
    }
    nodes[j] = p - (p * rate >> 14);
    this.narrow(part, this.range - part);
    return 0;
  }

  /** Check that the stream ends as the encoder ends it; return the position after it. */
  end() {
    const [a, b, c] = this.data.subarray(this.pos - 3, this.pos);
    const seen = a << 16 | b << 8 | c;
    const low = seen - this.code & 0xffffff;
    let size = 1;
    let unit = 65536;
    let point = low + unit - 1 & -unit;
    if (point + unit > low + this.range) {
      size = 2;
      unit = 256;
      point = low + unit - 1 & -unit;
    }
    if ((point & 0xffffff) !== (seen & -unit)) refuse("the frame does not end as it must");
    return this.pos - 3 + size;
  }
}

/** Reads a schema out of a profile: pairs of bytes, number of bits (0: a flag) and value. */
class FieldReader extends Reader {
  constructor(fields) {
    super();
    this.fields = fields;
    this.at = 0;
  }

  take(count) {
    if (this.fields[this.at] !== count || this.at + 1 >= this.fields.length) {
      refuse("the profile does not hold together");
    }
    this.at += 2;
    return this.fields[this.at - 1];
  }

  bits(count) {
    let value = 0;
    while (count > 0) {
      const some = Math.min(count, 8);
      count -= some;
      const part = this.take(some);
      if (part >> some) refuse("the profile does not hold together");
      value = value << some | part;
    }
    return value;
  }

  flag() {
    const bit = this.take(0);
    if (bit > 1) refuse("the profile does not hold together");
    return bit;
  }
}

// ---- schema and profile

function readSchema(reader) {
  const width = 1 + reader.bits(reader.flag(3) ? 5 : 3);
  const interval = reader.bits(4);
  const intervalMs = interval === 15 ? reader.number() : INTERVALS_S[interval] * 1000;
  if (intervalMs >= 2 ** 28) refuse("the interval is too long");
  const channels = [];
  for (let c = 0; c < width; c++) {
    let index = reader.bits(4);
    if (index === 15) index += reader.bits(6);
    const unit = index < 78 ? UNITS[index] : reader.text();
    const usual = reader.bits(1);
    if (usual && index > 14) refuse("no encoder writes this");
    const key = usual ? KEYS[index] : reader.text();
    let decimals = reader.bits(2);
    if (decimals === 3) decimals += reader.bits(3);
    let step = null;
    if (reader.flag(3)) {
      const exponent = reader.bits(4);
      step = [reader.number(), exponent ? -exponent : 0];
    }
    if (decimals > 9 || (step && (step[0] === 0 || step[0] >= 2 ** 29))) {
      refuse("no encoder writes this");
    }
    channels.push({key, unit, decimals, step, kind: reader.flag(3) ? "count" : ""});
  }
  return {channels, intervalMs};
}

/** A channel's integer as a number in its unit. */
export function valueOf(channel, integer) {
  if (integer === null) return null;
  const value = channel.step
    ? integer * channel.step[0] / 10 ** -channel.step[1]
    : integer / 10 ** channel.decimals;
  return Number(value.toFixed(Math.max(channel.decimals, channel.step ? -channel.step[1] : 0)));
}

/** What is published on devices/{id}/profile. */
export class Profile {
  constructor(blob) {
    if (blob.length < 25 || blob[0] !== 0xe1) refuse("no profile of version 1");
    if (crc24(blob, 0)) refuse("the profile's checksum does not match");
    const field = (at, size) => {
      let value = 0;
      for (let i = at; i < at + size; i++) value = value * 256 + blob[i];
      return value;
    };
    this.blob = blob;
    this.crc = field(blob.length - 3, 3);
    this.mark = this.crc & 0xffff;
    this.revision = field(1, 2);
    this.stream = field(3, 4);
    this.seq = field(7, 4);
    this.seconds = field(11, 5);
    this.ms = field(16, 2);
    this.count = field(18, 2);
    this.columns = 22 + field(20, 2);
    if (this.columns > blob.length - 3) refuse("the profile does not hold together");
    const fields = new FieldReader(blob.subarray(22, this.columns));
    this.schema = readSchema(fields);
    if (fields.at !== fields.fields.length) refuse("the profile does not hold together");
    this.priors = this.#readPriors(this.schema.channels.length);
  }

  #readPriors(width) {
    const blob = this.blob;
    const end = blob.length - 3;
    let at = this.columns;
    const byte = () => at < end ? blob[at++] : refuse("the profile does not hold together");
    const take = () => {
      let value = 0;
      for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
        const x = byte();
        value += (x & 127) * scale;
        if (x < 128) return value;
      }
      return refuse("the profile does not hold together");
    };
    const priors = [];
    for (let index = -1; index < width; index++) {
      const prior = {flags: take(), known: false};
      const size = take();
      const after = at + size;
      if (size) readPrior(prior, index, take, byte);
      if (at !== after) refuse("the profile does not hold together");
      priors.push(prior);
    }
    if (at !== end) refuse("the profile does not hold together");
    return priors;
  }
}

function readPrior(prior, index, take, byte) {
  prior.known = true;
  if (index >= 0) {
    const ref = take();
    prior.ref = ref % 2 ? -(ref + 1) / 2 : ref / 2;
    prior.step = take();
    prior.usual = take();
    take();
    if (prior.step === 0 || prior.usual > 28) refuse("the profile does not hold together");
  }
  prior.median = byte();
  prior.mean = byte();
  prior.shift = byte();
  const which = byte();
  const set = (i) => which >> i & 1;
  prior.others = [4, 5].map((i) => set(i) ? byte() : null);
  prior.weights = [0, 1, 2, 3, 4, 5].map((i) => set(i) ? byte() * 256 + byte() - 16384 : 0);
  prior.longest = byte();
  if (prior.median > 15 || prior.shift > 14 || prior.longest > 15 ||
      which > 63 || prior.others.some((other) => other !== null && other >= index) ||
      prior.weights.some((w) => Math.abs(w) >= 16384)) {
    refuse("the profile does not hold together");
  }
  prior.nodes = [];
  const stop = mantissaAt(prior.longest + 1);
  for (let j = 0; j < stop; j++) {
    if (j >= 48 || (j & 15) <= prior.longest) prior.nodes.push([j, byte() << 7 | 64]);
  }
}

// ---- frames

/** The mark of the profile that a REF frame needs, null if it needs none. */
export function markOf(data) {
  if (data.length < 3 || data[0] >> 4 !== REF) return null;
  return (data[0] << 16 | data[1] << 8 | data[2]) >> 4 & 0xffff;
}

/** Return {mode, stream, seq, schema, times, values}; `profiles` maps marks to Profiles. */
export function decode(data, profiles = new Map()) {
  if (data.length < 8) refuse("a frame has at least 8 bytes");
  const mode = data[0] >> 4;
  if (mode !== SELF && mode !== REF) refuse("no frame of version 1");
  let profile = null;
  if (mode === REF) {
    profile = profiles.get(markOf(data));
    if (!profile) throw new UnknownProfile(markOf(data));
  }
  if (crc24(data, profile ? profile.crc : 0)) refuse("the checksum does not match");
  return new FrameDecoder(data, profile).frame();
}

class FrameDecoder {
  constructor(data, profile) {
    this.data = data;
    this.profile = profile;
    this.in = new RangeDecoder(data);
    this.in.bits(4);
    if (profile) this.in.bits(16);
    this.nodes = new Uint16Array(2 * NODES);
    this.filled = [];
  }

  frame() {
    const profile = this.profile;
    const head = profile ? this.headRef() : this.headSelf();
    const priors = profile ? profile.priors : [];
    const times = this.times(head, priors[0]);
    const columns = head.schema.channels.map((channel, c) =>
      this.channel(channel, head.count, priors[c + 1]));
    if (this.in.end() + 3 !== this.data.length) refuse("the frame does not end where it must");
    const values = times.map((_, i) => columns.map((column) => column[i]));
    const {stream, seq, schema} = head;
    return {mode: profile ? "ref" : "self", stream, seq, schema, times, values};
  }

  streamAndSeq() {
    const stream = this.in.bits(15) * 65536 + this.in.bits(16);
    return {stream, seq: this.in.number()};
  }

  start() {
    let seconds = this.in.flag(6) ? this.in.bits(8) * 2 ** 32 : 0;
    seconds += this.in.bits(16) * 65536;
    seconds += this.in.bits(16);
    const ms = this.in.flag(3) ? this.in.bits(10) : 0;
    if (ms > 999) refuse("a second has 1000 ms");
    return seconds * 1000 + ms;
  }

  count() {
    const count = this.in.near(6);
    if (count < 1 || count > MAX_READINGS) refuse("a frame has 1 to 1024 readings");
    return count;
  }

  headSelf() {
    const head = this.streamAndSeq();
    head.start = this.start();
    head.count = this.count();
    head.schema = readSchema(this.in);
    return head;
  }

  headRef() {
    const profile = this.profile;
    const schema = profile.schema;
    const count = this.in.flag(2) ? this.count() : profile.count;
    if (count < 1 || count > MAX_READINGS) refuse("the profile does not hold together");
    if (this.in.flag(4)) return {...this.streamAndSeq(), start: this.start(), count, schema};
    const passed = this.in.flag(2) ? this.in.number() : this.in.number() * count;
    const seq = profile.seq + passed;
    if (seq >= 2 ** 30) refuse("the sequence number is out of range");
    const head = {stream: profile.stream, seq, count, schema};
    if (this.in.flag(4)) return {...head, start: this.start()};
    const step = Math.floor(schema.intervalMs / 1000);
    let off = this.in.near(1) * (step || 1);
    off += this.in.near(1);
    head.start = (profile.seconds + off + passed * step) * 1000 + profile.ms;
    return head;
  }

  times({start, count, schema}, prior) {
    let unit = 1;
    let column;
    if (prior && !this.in.flag(5)) {
      if (!prior.known) refuse("the profile does not hold together");
      unit = prior.flags & 1 ? 1000 : 1;
      column = this.trained(0, count, null, prior);
    } else {
      unit = this.in.flag(3) ? 1 : 1000;
      column = this.free(count, null);
    }
    const times = column.map((d, i) => start + i * schema.intervalMs + unit * d);
    if (times.some((t) => t < 0 || t >= 2 ** 48)) refuse("a time is out of range");
    return times;
  }

  channel(channel, count, prior) {
    let here = null;
    let wide = false;
    let values;
    if (this.in.flag(4) !== (prior ? prior.flags >> 1 & 1 : 0)) {
      here = this.mask(count);
      if (!here.includes(true)) {
        this.filled.push(new Array(count).fill(0));
        return new Array(count).fill(null);
      }
    }
    if (prior && !this.in.flag(5)) {
      if (!prior.known) refuse("the profile does not hold together");
      const first = this.in.near(prior.usual);
      values = this.trained(first, count, here, prior).map((x) => prior.ref + prior.step * x);
    } else if (this.in.flag(6)) {
      wide = true;
      const high = this.freeValue(count, here);
      const low = this.freeValue(count, here);
      if (low.some((x) => x < 0 || x > 65535)) refuse("half of a value is out of range");
      values = high.map((h, i) => h * 65536 + low[i]);
    } else {
      values = this.freeValue(count, here);
    }
    const least = channel.kind === "count" ? 0 : -(2 ** 31);
    if (values.some((v) => v < least || v >= least + 2 ** 32)) refuse("a value is not of 32 bits");
    this.filled.push(wide ? new Array(count).fill(0) : values);
    return here ? values.map((v, i) => here[i] ? v : null) : values;
  }

  freeValue(count, here) {
    let first = this.in.number();
    if (first && this.in.flag(3)) first = -first;
    return this.free(count, here).map((x) => first + x);
  }

  free(count, here) {
    if (this.in.flag(3)) return new Array(count).fill(0);
    const step = this.in.flag(3) ? this.in.number() : 1;
    const preset = this.in.flag(2) ? this.in.bits(2) : 0;
    let scale = 16 * this.in.flag(3);
    scale += this.in.bits(4);
    return this.scaled(0, count, here, preset, scale).map((x) => step * x);
  }

  mask(count) {
    const first = this.in.bits(1);
    if (!this.in.flag(1)) return new Array(count).fill(!first);
    const mask = this.scaled(first, count, null, MASK, MASK_SCALE);
    if (mask.some((x) => x !== 0 && x !== 1)) refuse("a value is missing or it is not");
    return mask.map((x) => x === 0);
  }

  reset() {
    const nodes = this.nodes;
    for (let j = 0; j < NODES; j++) {
      nodes[j] = j < 48 ? 2048 : j < 51 ? 16384 : 15700;
      nodes[NODES + j] = j > 50 && j < 62 ? 2 : 5;
    }
    for (let length = 2; length < 16; length++) nodes[mantissaAt(length)] = 14500;
  }

  scaled(first, count, here, preset, scale) {
    const nodes = this.nodes;
    const median = scale > 10 ? scale - 5 >> 1 : scale > 1 ? Math.floor((scale + 1) / 3) - 1 : 0;
    const mean = scale > 13 ? 8 * scale - 46 : (scale * (scale + 4) >> 2) + 1;
    this.reset();
    for (let j = 0; j < 48; j++) {
      const length = j & 15;
      let at = BOUNDARIES[length] + 13 - scale - (j >> 4);
      if (length > median) at -= 2;
      const beyond = BEYOND[Math.max(0, Math.min(12, at))];
      nodes[j] = length < median ? Math.floor(beyond * 32768 / (256 + beyond)) : beyond << 7;
    }
    const weights = [...PRESETS[preset], 0, 0];
    return this.column(first, count, here, {median, mean, shift: preset ? 2 : 0, weights}, []);
  }

  trained(first, count, here, prior) {
    this.reset();
    for (const [j, p] of prior.nodes) {
      this.nodes[j] = p;
      this.nodes[NODES + j] = SEEN_TRAINED;
    }
    const others = prior.others.map((other) => other === null ? null : this.filled[other]);
    return this.column(first, count, here, prior, others);
  }

  column(first, count, here, {median, mean, shift, weights}, others) {
    const values = [first];
    let [d1, d2, d3] = [0, 0, 0];
    let lively = mean;
    let way = 48;
    for (let i = 1; i < count; i++) {
      const last = values[i - 1];
      let value = last;
      if (!here || here[i]) {
        if (shift) {
          let sum = weights[0] * d1 + weights[1] * d2 + weights[2] * d3 +
            weights[3] * clip(-last) + (1 << shift - 1);
          others.forEach((other, k) => {
            if (other) sum += weights[4 + k] * clip(other[i] - other[i - 1]);
          });
          value += sum >> shift;
        }
        const off = lively - mean;
        const length = this.length(off < -12 ? 0 : off > 12 ? 32 : 16, median);
        lively += 16 * length - lively >> 2;
        if (length) {
          const negative = this.in.decide(this.nodes, way);
          const size = this.mantissa(length);
          value += negative ? -size : size;
          way = negative ? 50 : 49;
        } else {
          way = 48;
        }
        if (Math.abs(value) >= REACH) refuse("a value strays too far");
      }
      [d3, d2, d1] = [d2, d1, clip(value - last)];
      values.push(value);
    }
    return values;
  }

  /** The bit length of a residual, sought from the median. */
  length(base, length) {
    if (this.in.decide(this.nodes, base + length)) {
      length++;
      while (this.in.decide(this.nodes, base + Math.min(length, 15))) {
        if (++length > 30) refuse("a residual is too large");
      }
      return length;
    }
    while (length && !this.in.decide(this.nodes, base + length - 1)) length--;
    return length;
  }

  /** The size of a residual of this bit length. */
  mantissa(length) {
    let size = 1;
    let rest = length - 1;
    const first = mantissaAt(Math.min(length, 15));
    while (rest && rest > length - 4) {
      rest--;
      size = 2 * size + this.in.decide(this.nodes, first + size - 1);
    }
    while (rest) {
      const some = Math.min(rest, 8);
      rest -= some;
      size = size * 2 ** some + this.in.bits(some);
    }
    return size;
  }
}
