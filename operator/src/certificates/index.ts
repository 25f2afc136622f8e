/**
 * Certificates of a platform: what is due, who issues it, what the Secrets hold.
 * May import `controller` and `@causeway/crds`; knows no MessagePlatform.
 */
export {
  inspectCertificate,
  keyMatches,
  plainFingerprint,
  splitBundle,
  type CertificateFacts,
} from './inspect.ts';
export { x509Issuer, type CertificateIssuer, type KeyPair, type LeafRequest } from './issuer.ts';
export {
  planCertificates,
  heldVersions,
  servedVersion,
  versionNumbers,
  type CertificatePlan,
  type CertificateStep,
  type CertificateWish,
  type HeldSecrets,
} from './plan.ts';
export { checkSuppliedCertificate } from './supplied.ts';
export { decodeSecret, encodeSecret, type SecretData } from './secret-data.ts';
export { issueDue, type IssuedSecrets } from './issue-due.ts';
export {
  asksLinks,
  nextRotation,
  podsToAsk,
  replacedRotation,
  type EndedRotation,
  type RotatingLink,
  type RotatingPod,
  type Rotation,
  type RotationPolicy,
  type RotationReason,
  type RotationStage,
} from './rotation.ts';
export { versionShown, type Shown } from './handshake.ts';
export { failingSince, podProbe, type PodProbe, type PodReport } from './probe.ts';
export { trustNeededSince } from './authorities.ts';
