// Training: its jobs, what was made, and what can be trained.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { Tabbed } from "../../ui/tabbed";
import { JobView } from "./job";
import { JobList } from "./jobs";
import { Recipes } from "./recipes";
import { VersionView } from "./version";
import { VersionList } from "./versions";

export default function TrainPage(): ReactNode {
  const { rest } = usePlace();
  if (rest[0] === "jobs" && rest[1]) return <JobView key={rest[1]} id={rest[1]} />;
  if (rest[0] === "models" && rest[1]) return <VersionView key={rest[1]} label={rest[1]} />;
  return (
    <Tabbed
      page="train"
      title="Training"
      about="Models, prompts and thresholds that are trained on your data, and how each was made."
      views={[
        { name: "jobs", title: "Jobs", view: () => <JobList /> },
        { name: "models", title: "Models", view: () => <VersionList /> },
        { name: "recipes", title: "Recipes", view: () => <Recipes /> },
      ]}
    />
  );
}
