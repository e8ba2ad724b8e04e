import type { TestProject } from "vitest/node";
import { type S3Address, startPrivateS3 } from "./private-s3.ts";
import { addressFrom, shareServers } from "./shared-servers.ts";

/** A server that is there already, used in place of our own. */
const URL_VARIABLE = "MILLRACE_TEST_S3_URL";

/** vitest's globalSetup of the projects that need an S3 server. Without one it fails, and with it the run. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return shareServers(project, "s3", server);
}

async function server(started: AsyncDisposable[]): Promise<S3Address> {
  const given = addressFrom(URL_VARIABLE, "http", 80);
  if (given !== null)
    return { host: given.host, port: given.port, accessKeyId: given.user, secretAccessKey: given.password };
  const own = await startPrivateS3();
  started.push(own);
  return { host: own.host, port: own.port, accessKeyId: own.accessKeyId, secretAccessKey: own.secretAccessKey };
}
