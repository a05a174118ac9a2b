// What the routes of memories answer; what a search finds has a score and no origin.
export interface Fact {
  id: string;
  text: string;
  at: number;
  kind?: string;
  slot?: string | null;
  origin?: string;
  session_id?: string | null;
  expires_at?: number | null;
  superseded_at?: number | null;
  uses?: number;
  score?: number;
}
