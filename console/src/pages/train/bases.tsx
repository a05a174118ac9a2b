// What a run starts from, or what an option names: chosen from what there is, and typed where that is not all.
import { useId, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Base, Recipe } from "../../api/train";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { Field } from "../../ui/controls";

interface BaseFieldProps {
  recipe: Recipe;
  value: string;
  onChange: (value: string) => void;
}

export function BaseField({ recipe, value, onChange }: BaseFieldProps): ReactNode {
  const found = useBases(recipe);
  const kinds = recipe.bases.join(" or ");
  if (!found || found.data.length === 0 || found.has_more) {
    const none = found?.data.length === 0 ? `There is none of the kind ${kinds} yet: pull a model, or train one.` : `a pulled model of the kind ${kinds}, or a version such as support@1`;
    return <Field label="Base" hint={none}>{(ids) => <Typed ids={ids} value={value} onChange={onChange} names={found} />}</Field>;
  }
  return (
    <Field label="Base" hint={`a pulled model or a version of the kind ${kinds}`}>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">Choose one</option>
          {found.data.map((each) => <option key={each.id} value={each.id}>{each.id}</option>)}
        </select>
      )}
    </Field>
  );
}

// An option that names a version or a model: also models of other servers may teach, which no list has.
export function NamedInput({ recipe, option, ids, value, placeholder, onChange }: BaseFieldProps & { option: string; ids: object; placeholder: string }): ReactNode {
  return <Typed ids={ids} value={value} placeholder={placeholder} onChange={onChange} names={useBases(recipe, option)} />;
}

function Typed({ ids, value, placeholder, names, onChange }: { ids: object; value: string; placeholder?: string; names: List<Base> | undefined; onChange: (value: string) => void }): ReactNode {
  const list = useId();
  return (
    <>
      <input {...ids} list={list} value={value} placeholder={placeholder} maxLength={256} onChange={(event) => onChange(event.target.value)} />
      <datalist id={list}>{names?.data.map((each) => <option key={each.id} value={each.id} />)}</datalist>
    </>
  );
}

function useBases(recipe: Recipe, option = ""): List<Base> | undefined {
  const of = `/v1/training/bases?recipe=${encodeURIComponent(recipe.id)}${option && `&option=${encodeURIComponent(option)}`}`;
  return useResource(of, (signal) => get<List<Base>>(of, signal)).data;
}
