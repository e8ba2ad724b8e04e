import { workloadSuite } from "./workload-suite.ts";

workloadSuite(["mysql", "mariadb"]);
