// Decodes golden frames for test_golden.py: one answer a line; with --damage it cuts and flips
// them instead, and prints how many damaged frames were refused.
import {readFileSync} from "node:fs";
import {decode, Profile, ProtocolError} from "../../tools/petrel/web/frame.js";

const args = process.argv.slice(2);
const damage = args[0] === "--damage";
const bytesOf = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
let refused = 0;

function mustRefuse(data, profiles) {
  try {
    decode(data, profiles);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    refused++;
    return;
  }
  throw new Error(`accepted ${Buffer.from(data).toString("hex")}`);
}

for (const file of damage ? args.slice(1) : args) {
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n")) {
    const given = JSON.parse(line);
    const data = bytesOf(given.frame);
    const profiles = new Map();
    if (given.profile) {
      const profile = new Profile(bytesOf(given.profile));
      profiles.set(profile.mark, profile);
    }
    if (!damage) {
      console.log(JSON.stringify(decode(data, profiles)));
      continue;
    }
    for (let size = 0; size < data.length; size++) mustRefuse(data.slice(0, size), profiles);
    for (let bit = 0; bit < 8 * data.length; bit++) {
      data[bit >> 3] ^= 128 >> (bit & 7);
      mustRefuse(data, profiles);
      data[bit >> 3] ^= 128 >> (bit & 7);
    }
  }
}
if (damage) console.log(refused);
