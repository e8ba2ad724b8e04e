/** A column as a Relation message has it. */
export interface RelationColumn {
  readonly name: string;
  /** Part of the replica identity. */
  readonly key: boolean;
  readonly typeOid: number;
  readonly typmod: number;
}

/** A table's shape as the log has it from here on. */
export interface RelationMessage {
  readonly oid: number;
  readonly namespace: string;
  readonly name: string;
  /** `relreplident`: default, nothing, full, index. */
  readonly replicaIdentity: "d" | "n" | "f" | "i";
  readonly columns: readonly RelationColumn[];
}
