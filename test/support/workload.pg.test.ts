import { workloadSuite } from "./workload-suite.ts";

workloadSuite(["postgres", "oldest-postgres"]);
