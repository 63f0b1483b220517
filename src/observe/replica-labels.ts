/**
 * Names for replicas in everything a person sees. Replica names of a source are addresses of a private network, so
 * they are shown only where the mount allows it; elsewhere the replicas of one download are called r1, r2, ... in the
 * order in which they appeared. Labels of two downloads are not comparable.
 */

/** Gives each replica of one download its label. */
export interface ReplicaLabels {
  /** The label of `replica`; the same each time. */
  label(replica: string): string;
}

/**
 * @param shown True where the mount allows internal addresses to be seen
 * @returns labels for one download; holds one short string for each replica seen
 */
export function createReplicaLabels(shown: boolean): ReplicaLabels {
  if (shown) return { label: (replica) => replica };
  const labels = new Map<string, string>();
  return {
    label(replica) {
      let label = labels.get(replica);
      if (label === undefined) {
        label = `r${labels.size + 1}`;
        labels.set(replica, label);
      }
      return label;
    },
  };
}
