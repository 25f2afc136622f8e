/** The lab's test of itself, as the last scenario: it takes the lab down and up again, and leaves none. */
await import('../lab/self.lab.ts');
