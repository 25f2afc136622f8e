/**
 * gateway/src/witness: which zones' gateways answer this one (docs/adr/0061-witness-probes.md). Facts only: whoever makes a
 * verdict of them asks several gateways. `sight` decides and does no I/O. Imports only log, names and crds.
 */
export { askPod } from './ask.ts';
export { lookupAddresses } from './lookup.ts';
export { Witness } from './witness.ts';
