import { MillraceError } from "../../../core/errors.ts";
import type { Row } from "../connection.ts";
import type { Flavour } from "../position.ts";
import { xidText } from "../binlog/xa-events.ts";

/** Lists the XA transactions that are prepared and undecided. On MySQL it takes XA_RECOVER_ADMIN. */
export const XA_RECOVER: Readonly<Record<Flavour, string>> = {
  mysql: "XA RECOVER CONVERT XID",
  mariadb: "XA RECOVER",
};

/** Its answer, as the log has XIDs. The parts of one stand behind each other: bytes, or (MySQL) their hexadecimal digits. */
export function recoveredXids(rows: readonly Row[]): readonly string[] {
  return rows.map(({ formatID, gtrid_length, bqual_length, data }) => {
    const hex = Buffer.isBuffer(data) ? data.toString("hex") : String(data).replace(/^0x/, "");
    const gtridEnd = Number(gtrid_length) * 2;
    if (hex.length !== gtridEnd + Number(bqual_length) * 2)
      throw new MillraceError("INTERNAL", "XA RECOVER has an XID of another length than it says");
    return xidText(hex.slice(0, gtridEnd), hex.slice(gtridEnd), Number(formatID));
  });
}
