// Buttons, fields and tabs.
import { useId, type ButtonHTMLAttributes, type ReactNode } from "react";
import { Icon, type IconName } from "./icon";
import { Worded } from "./worded";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: "plain" | "primary" | "quiet" | "danger";
  icon?: IconName;
  children?: ReactNode;
}

export function Button({ kind = "plain", icon, children, className = "", ...rest }: ButtonProps): ReactNode {
  return (
    <button type="button" className={`button ${kind} ${className}`} {...rest}>
      {icon && <Icon name={icon} size={16} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
  active?: boolean;
  size?: number;
}

export function IconButton({ icon, label, active, size = 16, className = "", ...rest }: IconButtonProps): ReactNode {
  return (
    <button
      type="button"
      className={`icon-button ${active ? "active" : ""} ${className}`}
      aria-label={label}
      title={label}
      aria-pressed={active}
      {...rest}
    >
      <Icon name={icon} size={size} />
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string;
  children: (ids: { id: string; "aria-describedby"?: string }) => ReactNode;
}

export function Field({ label, hint, error, children }: FieldProps): ReactNode {
  const id = useId();
  const about = hint || error ? `${id}-about` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": about })}
      {(error || hint) && (
        <p id={about} className={error ? "hint bad" : "hint"}>
          {error ? <Worded text={error} /> : hint}
        </p>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: { value: T; label: string }[];
  onChange: (value: T) => void;
}

// A handful of choices side by side.
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>): ReactNode {
  return (
    <div className="choice" role="group" aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}

export function Badge({ tone = "plain", children }: { tone?: "plain" | "good" | "bad" | "warn" | "accent"; children: ReactNode }): ReactNode {
  return <span className={`badge ${tone}`}>{children}</span>;
}
