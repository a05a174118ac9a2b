// The support desk: the queues on one side, a case with its conversation and what helps to answer it on the other.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { Empty } from "../../ui/states";
import "../../styles/desk.css";
import { CaseView } from "./case";
import { CaseList } from "./list";

export default function DeskPage(): ReactNode {
  const { rest } = usePlace();
  const number = rest[0];
  return (
    <div className={`desk ${number ? "with-case" : ""}`}>
      <h1 className="hidden">Support desk</h1>
      <CaseList open={number} />
      {number ? (
        <CaseView key={number} number={number} />
      ) : (
        <div className="desk-main desk-nothing desk-none">
          <Empty icon="desk" title="No case is open">Choose one from the list, or take the next one.</Empty>
        </div>
      )}
    </div>
  );
}
