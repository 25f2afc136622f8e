/** Makes authorities, and lets the next one take over. */
import { BACKDATE, heldAuthorities, type Authorities, type RotationState } from './authorities.ts';
import type { CertificateIssuer, KeyPair } from './issuer.ts';
import type { CertificatePlan, CertificateWish } from './plan.ts';
import type { SecretData } from './secret-data.ts';

/** The authorities after what is due of them is issued. At Retire the next one takes over, and the old key is gone. */
export async function issueAuthorities(
  plan: CertificatePlan,
  context: {
    platform: string;
    wish: CertificateWish;
    held: SecretData | undefined;
    now: number;
    rotation: RotationState | undefined;
  },
  issuer: CertificateIssuer,
): Promise<Authorities> {
  const { platform, wish, now, rotation } = context;
  // The number tells apart, by name, who signed what.
  const made = (number: number): Promise<KeyPair> =>
    issuer.authority({
      commonName: `${platform} causeway authority ${number}`,
      notBefore: now - BACKDATE,
      notAfter: now + wish.authority.duration,
    });
  const due = new Set(plan.steps.map((step) => step.issue));
  if (due.has('authority')) return { present: await made(plan.nextVersion), next: undefined };
  const { present, next } = heldAuthorities(context.held, now);
  if (rotation?.authority !== true) return { present, next: undefined };
  if (rotation.stage === 'Retire') return { present: next ?? present, next: undefined };
  if (!due.has('nextAuthority')) return { present, next };
  const keys = await made(rotation.to);
  return {
    present,
    next: { ...keys, cross: await issuer.cross(keys, present), previous: present.certificate },
  };
}
